import type { JsonObject } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { textAt, trackCall, valueAt } from './harness/http.ts';
import { inbox, type Member, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const ask = (agent: Member, id: string, messageId: string, source: Member, more: JsonObject = {}) =>
  agent.caller.post(`/workspaces/${agent.id}/questions`, {
    questions: [{ id, kind: 'text', text: `What about ${id}?`, from: 'sender', ...more }],
    message: { message_id: messageId, source_id: source.id, context_id: 'c' },
  });
const task = (caller: Member['caller'], at: Member, method: string, id: string) =>
  caller.post(`/workspaces/${at.id}/a2a`, { jsonrpc: '2.0', id: 1, method, params: { id } });
const replyTo = (agent: Member, source: Member, messageId: string) =>
  send(agent.caller, source.id, 'flood', { role: 'agent', metadata: { in_reply_to: messageId } });

onEachDatabase('messages that the platform knows from their agents only', (environment) => {
  verifies('limits.inbox-shares', 'direct replies count', async () => {
    const platform = await environment.platform({ limits: { inboxLimit: 20 } });
    const [agent, victim, other] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform),
    ];
    const statuses: number[] = [];
    for (let index = 0; index < 12; index += 1) {
      expect((await ask(agent, `q-${index}`, `forged-${index}`, victim)).status).toBe(200);
      statuses.push((await replyTo(agent, victim, `forged-${index}`)).status);
    }
    expect(statuses).toEqual([...Array(5).fill(200), ...Array(7).fill(429)]);
    // What is refused changes nothing; an outcome that its agent reports is in the record only.
    const path = `/workspaces/${victim.id}/messages/forged-11`;
    const { body } = await victim.caller.get(path);
    expect(body).toMatchObject({ state: 'input_required' });
    const failed = { outcome: 'failed', error: { message: 'flood' } };
    const outcomes = [{ activity_id: textAt(body, 'activity_id'), ...failed }];
    await agent.caller.post(`/workspaces/${agent.id}/activity/ack`, { outcomes });
    expect((await victim.caller.get(path)).body).toMatchObject({ state: 'failed' });
    expect(await inbox(victim)).toHaveLength(5);
    expect((await send(other.caller, victim.id, 'hello')).status).toBe(202);
  });

  verifies('questions.direct', 'direct ids are of one agent', async () => {
    const platform = await environment.platform();
    const [agent, evil, sender] = [await onboard(platform), await onboard(platform), await onboard(platform)];
    const [asked] = [await ask(agent, 'real', 'shared', sender), await ask(evil, 'fake', 'shared', sender)];
    const id = textAt(valueAt(asked.body, 'questions', 0), 'activity_id');
    expect((await task(sender.caller, agent, 'tasks/get', 'shared')).body).toMatchObject({ result: { id } });
    const record = await sender.caller.get(`/workspaces/${sender.id}/messages/shared`);
    expect(record).toMatchObject({ status: 409, body: { code: 'message_id_conflict' } });
    expect(textAt(record.body, 'hint')).toContain(id);
    for (const method of ['tasks/get', 'tasks/cancel']) {
      expect((await task(sender.caller, sender, method, 'shared')).status).toBe(409);
    }
    const byRow = await sender.caller.get(`/workspaces/${sender.id}/messages/${id}`);
    expect(byRow.body).toMatchObject({ target_id: agent.id, state: 'input_required' });
    await task(sender.caller, agent, 'tasks/cancel', 'shared');
    const stateAt = async (at: Member) =>
      valueAt((await at.caller.get(`/workspaces/${at.id}/questions`)).body, 'questions', 0, 'state');
    expect([await stateAt(agent), await stateAt(evil)]).toEqual(['closed', 'open']);
  });

  verifies('questions.reach-the-sender', 'posted about a message', async () => {
    const platform = await environment.platform();
    const [agent, sender] = [await onboard(platform), await onboard(platform)];
    const held = trackCall(send(sender.caller, agent.id, 'do it', { messageId: 'held', hold: 30 }));
    await expect.poll(() => inbox(agent)).toHaveLength(1);
    expect((await ask(agent, 'now', 'held', sender)).status).toBe(200);
    expect((await held.response).body).toMatchObject({ result: { status: { state: 'input-required' } } });
    await send(sender.caller, agent.id, 'do it', { messageId: 'queued' });
    for (let times = 0; times < 2; times += 1) await ask(agent, 'later', 'queued', sender);
    const rows = await inbox(sender);
    expect(rows).toMatchObject([{ in_reply_to: 'queued' }]);
    expect(JSON.stringify(rows)).toContain('What about later?');
  });

  verifies('feed.retention', 'deleted with the message', async () => {
    const platform = await environment.platform({ clock: 'manual', data: { finishedBytes: 100_000 } });
    const [agent, source] = [await onboard(platform), await onboard(platform)];
    const count = async () => {
      const { body } = await agent.caller.get(`/workspaces/${agent.id}/questions?limit=100`);
      return (valueAt(body, 'questions') as unknown[]).length;
    };
    for (let index = 0; index < 8; index += 1) {
      const data = { text: 'x'.repeat(30_000) };
      expect((await ask(agent, `q-${index}`, `m-${index}`, source, { data })).status).toBe(200);
      await task(source.caller, agent, 'tasks/cancel', `m-${index}`);
    }
    expect(await count()).toBe(8);
    await platform.clock.advance(60_000);
    await expect.poll(count).toBeLessThanOrEqual(3);
  });

  verifies('cancel.sender-or-operator-only', 'tasks get: operators', async () => {
    const platform = await environment.platform();
    const [target, sender, other] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform),
    ];
    const sent = await send(sender.caller, target.id, 'hi', { messageId: 'm' });
    const id = textAt(sent.body, 'activity_id');
    for (const at of [target, sender]) {
      for (const name of [id, 'm']) {
        expect((await task(platform.operator, at, 'tasks/get', name)).body).toMatchObject({ result: { id } });
      }
      expect((await task(other.caller, at, 'tasks/get', 'm')).status).toBe(404);
    }
    expect((await task(platform.operator, other, 'tasks/get', 'm')).status).toBe(404);
    await send(other.caller, target.id, 'hi', { messageId: 'm' });
    expect((await task(platform.operator, target, 'tasks/cancel', 'm')).status).toBe(409);
    const canceled = await task(platform.operator, sender, 'tasks/cancel', 'm');
    expect(canceled.body).toMatchObject({ result: { id, status: { state: 'canceled' } } });
  });
});
