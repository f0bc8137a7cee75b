import { type AgentRequest, answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { textAt, trackCall, valueAt } from './harness/http.ts';
import { inbox, onboard, registerMember, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const messageIdOf = ({ body }: AgentRequest) => textAt(body, 'params', 'message', 'messageId');

onEachDatabase('changing the delivery mode', (environment) => {
  verifies('delivery-mode.one-way-only', 'poll to push', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({ script: answering('pushed') });
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const ids = ['m-1', 'm-2', 'm-3'];
    for (const messageId of ids) await send(caller.caller, target.id, 'hello', { messageId });
    // One of them was read already, and its handling had not ended.
    await inbox(target, '&limit=1');
    await registerMember(target, { url: agent.url });
    await agent.received(3);
    for (const messageId of ids) {
      const record = await caller.caller.get(`/workspaces/${caller.id}/messages/${messageId}?wait=10`);
      expect(record.body).toMatchObject({ state: 'answered', attempts: 1 });
    }
    await platform.clock.advance(120_000);
    expect(agent.requests.map(messageIdOf)).toEqual(ids);
  });

  verifies('delivery-mode.one-way-only', 'push to poll', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    let finish = (_text: string) => {};
    const working = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const agent = await environment.scriptedAgent({
      script: async (request, count) => answering(await working)(request, count),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const call = trackCall(send(caller.caller, target.id, 'hello', { messageId: 'm-1', hold: 60 }));
    await agent.received(1);
    await registerMember(target);
    expect(await inbox(target, '&unacknowledged=true')).toEqual([]);
    const rows = await inbox(target);
    expect(rows.map((row) => row.message_id)).toEqual(['m-1']);
    finish('done by push');
    expect(valueAt((await call.response).body, 'result', 'status')).toBe('completed');
    const ack = await target.caller.post(`/workspaces/${target.id}/activity/ack`, {
      up_to: textAt(rows[0], 'id'),
      outcomes: [{ activity_id: textAt(rows[0], 'id'), outcome: 'unanswered' }],
    });
    expect(ack.body).toMatchObject({ outcomes: [{ state: 'answered' }] });
    await platform.clock.advance(120_000);
    expect(agent.requests).toHaveLength(1);
    expect(await inbox(target, '&unacknowledged=true')).toEqual([]);
  });

  verifies('delivery-mode.one-way-only', 'push to poll retry', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'hang-up' }) });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    expect((await send(caller.caller, target.id, 'hello', { messageId: 'm-1' })).status).toBe(202);
    await agent.received(1);
    await environment.untilStable(() => platform.queries.length);
    await registerMember(target);
    const pushed = agent.requests.length;
    await platform.clock.advance(80_000);
    expect(agent.requests).toHaveLength(pushed);
    const rows = await inbox(target, '&unacknowledged=true');
    expect(rows.map((row) => row.message_id)).toEqual(['m-1']);
    await send(target.caller, caller.id, 'done', { metadata: { in_reply_to: 'm-1' }, role: 'agent' });
    const record = () => caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    expect((await record()).body).toMatchObject({ state: 'answered' });
    await registerMember(target, { url: agent.url });
    await platform.clock.advance(120_000);
    expect(agent.requests).toHaveLength(pushed);
  });
});
