import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { openAgent, openFolder, openPlatform } from '../../test/resources-of-test.ts';
import type { RunningPlatform } from '../../test/running-platform.ts';
import { answerJson, answerText, eventually, say } from '../../test/scripted-agent.ts';

interface Member {
  readonly id: string;
  readonly token: string;
}

const send = (running: RunningPlatform, from: Member, to: Member, body: unknown, timeout = '0') =>
  running.call('POST', `/workspaces/${to.id}/a2a`, {
    token: from.token,
    body,
    headers: { 'x-timeout': timeout },
  });

const waiting = async (running: RunningPlatform, of: Member) =>
  (await running.call('GET', `/workspaces/${of.id}/activity?unacknowledged=true`, { token: of.token })).body;

/** Leaves a stopped platform as if it had been killed between sending an outcome and recording that it was received. */
function loseReceipt(dataDir: string, messageId: string): void {
  const file = new DatabaseSync(join(dataDir, 'platform.db'));
  const receipt = file.prepare('select caller_receipt from activity where message_id = ?').get(messageId);
  expect(receipt).toEqual({ caller_receipt: 'received' });
  file.prepare(`update activity set caller_receipt = 'sent' where message_id = ?`).run(messageId);
  file.close();
}

describe('an answer', () => {
  it('that a killed process had sent without a confirmation is added to the feed after the restart', async () => {
    const dataDir = openFolder();
    const first = await openPlatform({ memory: false, dataDir });
    const asker = await first.join({ name: 'asker' });
    const poller = await first.join({ name: 'poller' });
    const held = send(first, asker, poller, say('q', 'lost-1'), '30');
    await eventually(async () => (await waiting(first, poller)).length === 1);
    await send(first, poller, asker, say('a', 'lost-2', { in_reply_to: 'lost-1' }));
    expect((await held).status).toBe(200);
    await first.platform.close();
    loseReceipt(dataDir, 'lost-1');
    const second = await openPlatform({ memory: false, dataDir });
    const row = await eventually(async () => (await waiting(second, asker))[0]);
    expect(row).toMatchObject({
      in_reply_to: 'lost-1',
      source_id: poller.id,
      data: { text: expect.stringContaining('a') },
    });
  });

  it('that asks and was sent without a confirmation is added to the feed as well, and the end after it', async () => {
    const dataDir = openFolder();
    const first = await openPlatform({ memory: false, dataDir });
    const asker = await first.join({ name: 'asker' });
    const poller = await first.join({ name: 'poller' });
    const held = send(first, asker, poller, say('q', 'lost-1'), '30');
    await eventually(async () => (await waiting(first, poller)).length === 1);
    const questions = [{ id: 'why', kind: 'text', text: 'why?', from: 'sender' }];
    await send(first, poller, asker, say('a', 'lost-2', { in_reply_to: 'lost-1', questions }));
    expect((await held).body.result.status.state).toBe('input-required');
    await first.platform.close();
    loseReceipt(dataDir, 'lost-1');
    const second = await openPlatform({ memory: false, dataDir });
    const row = await eventually(async () => (await waiting(second, asker))[0]);
    expect(row).toMatchObject({
      in_reply_to: 'lost-1',
      request_body: {
        params: { message: { metadata: { state: 'input_required', questions: [{ id: 'why' }] } } },
      },
    });
    await send(second, poller, asker, say('after all', 'lost-3', { in_reply_to: 'lost-1' }));
    expect((await waiting(second, asker))[1]).toMatchObject({ message_id: 'lost-3', in_reply_to: 'lost-1' });
  });

  it('that only an operator waits for is still added to the feed of its caller', async () => {
    const running = await openPlatform();
    const asker = await running.join({ name: 'asker' });
    const poller = await running.join({ name: 'poller' });
    await send(running, asker, poller, say('q', 'seen-1'));
    const looking = running.call('GET', `/workspaces/${asker.id}/messages/seen-1?wait=30`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const reply = await send(running, poller, asker, say('a', 'seen-2', { in_reply_to: 'seen-1' }));
    expect(reply.body.delivered_to).toBe('feed');
    expect((await looking).body).toMatchObject({
      state: 'answered',
      answer: { result: { parts: [{ text: 'a' }] } },
    });
    expect(await waiting(running, asker)).toHaveLength(1);
  });

  it('is pushed to a caller with a server, wrapped, and not answered in turn', async () => {
    const running = await openPlatform();
    const server = await openAgent((call) => answerText(call, 'thanks'));
    const asker = await running.join({ name: 'asker', url: `${server.url}/rpc` });
    const poller = await running.join({ name: 'poller' });
    await send(running, asker, poller, say('q', 'push-1'));
    await send(running, poller, asker, say('a', 'push-2', { in_reply_to: 'push-1' }));
    const call = await server.called(1);
    const wrapped = '[A2A_RESULT_FROM_PEER]a[/A2A_RESULT_FROM_PEER]';
    expect(call.body.params).toMatchObject({
      result: wrapped,
      message: { role: 'agent', metadata: { in_reply_to: 'push-1' }, parts: [{ text: wrapped }] },
      metadata: { source: 'peer_agent', peer_id: poller.id },
    });
    await eventually(async () => {
      const rows = (await running.call('GET', `/workspaces/${asker.id}/activity`)).body;
      return rows[0]?.delivery_state === 'answered';
    });
    expect(server.calls).toHaveLength(1);
    expect(await waiting(running, poller)).toMatchObject([{ delivery_state: 'answered' }]);
  });

  it('may come later from an agent with a server that only accepted the message', async () => {
    const running = await openPlatform();
    const server = await openAgent(({ response }) =>
      answerJson(response, { status: 'queued', queued: true }, 202),
    );
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${server.url}/rpc` });
    const held = send(running, asker, target, say('q', 'took-1'), '30');
    await server.called(1);
    await eventually(async () => {
      const { body } = await running.call('GET', `/workspaces/${asker.id}/messages/took-1`);
      return body.state === 'delivered';
    });
    await send(running, target, asker, say('a', 'took-2', { in_reply_to: 'took-1' }));
    expect((await held).body.result.text).toContain('a');
  });
});

describe('nested calls', () => {
  it('are delivered while the first call is running', async () => {
    const running = await openPlatform();
    const members: Record<'a' | 'b', Member | undefined> = { a: undefined, b: undefined };
    const call = async (from: Member | undefined, to: Member | undefined, messageId: string) => {
      if (from === undefined || to === undefined) throw new Error('not joined yet');
      return (await send(running, from, to, say('next', messageId), '10')).body.result.text;
    };
    const a = await openAgent((got) => {
      if (got.body.id === 'inner') answerText(got, 'bottom');
      else void call(members.a, members.b, 'middle').then((text) => answerText(got, `a(${text})`));
    });
    const b = await openAgent((got) => {
      void call(members.b, members.a, 'inner').then((text) => answerText(got, `b(${text})`));
    });
    members.a = await running.join({ name: 'a', url: `${a.url}/rpc` });
    members.b = await running.join({ name: 'b', url: `${b.url}/rpc` });
    const asker = await running.join({ name: 'asker' });
    const answer = await send(running, asker, members.a, say('go', 'outer'), '20');
    expect(answer.body.result.text).toContain('bottom');
  });
});

describe('a refused literal address', () => {
  it('is final: 502 unsafe_url', async () => {
    const dataDir = openFolder();
    const server = await openAgent((call) => answerText(call, 'must not happen'));
    const first = await openPlatform({ memory: false, dataDir });
    const asker = await first.join({ name: 'asker' });
    const target = await first.join({ name: 'target', url: `${server.url}/rpc` });
    await first.platform.close();
    const second = await openPlatform({ memory: false, dataDir, allowAgentNetworks: [] });
    const answer = await send(second, asker, target, say('q', 'unsafe-1'), '10');
    expect(answer).toMatchObject({ status: 502, body: { code: 'unsafe_url', delivered: false } });
    expect(server.calls).toHaveLength(0);
  });
});
