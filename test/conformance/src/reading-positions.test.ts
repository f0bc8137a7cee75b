import { expect } from 'vitest';
import { textAt, trackCall, valueAt } from './harness/http.ts';
import { heartbeat, inbox, type Member, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const replyTo = (agent: Member, source: Member, messageId: string) =>
  send(agent.caller, source.id, 'flood', { role: 'agent', metadata: { in_reply_to: messageId } });

onEachDatabase('reading without acknowledging', (environment) => {
  verifies('polling-clients.replies-are-not-held', 'only replies', async () => {
    const platform = await environment.platform();
    const [first, second] = [await onboard(platform), await onboard(platform)];
    await send(first.caller, second.id, 'hello');
    const call = (messageId: string) =>
      trackCall(
        second.caller.post(`/workspaces/${first.id}/a2a`, {
          jsonrpc: '2.0',
          id: 1,
          method: 'message/send',
          params: { message: { messageId, parts: [{ kind: 'text', text: 'x' }] } },
        }),
      );
    expect((await call('reply').response).status).toBe(202);
    const asked = call('question');
    await expect.poll(() => inbox(first)).toHaveLength(2);
    await send(first.caller, second.id, 'yes', { role: 'agent', metadata: { in_reply_to: 'question' } });
    expect((await asked.response).status).toBe(200);
  });

  verifies('limits.inbox-of-one-that-only-reads', 'position', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [agent, sender, other] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform),
    ];
    for (const text of ['1', '2', '3']) await send(sender.caller, agent.id, text);
    const seen = await send(other.caller, agent.id, '4');
    const id = textAt(seen.body, 'activity_id');
    const read = (query: string) =>
      agent.caller.get(`/workspaces/${agent.id}/activity?type=a2a_receive&${query}`);
    const pending = async () => valueAt((await heartbeat(agent)).body, 'pending');
    await read(`peer_id=${other.id}&since_id=${id}`);
    await read(`source=agent&since_id=${id}`);
    await read(`direction=all&since_id=${id}`);
    const own = await agent.caller.post(`/workspaces/${agent.id}/notify`, { message: 'hi' });
    await read(`since_id=${textAt(own.body, 'activity_id')}`);
    expect(await pending()).toBe(4);
    await read(`since_id=${id}`);
    expect(await pending()).toBe(0);
  });

  verifies('messages.paused.is-held', 'paused: cursor', async () => {
    const platform = await environment.platform();
    const [agent, sender] = [await onboard(platform), await onboard(platform)];
    await send(sender.caller, agent.id, 'before', { messageId: 'before' });
    await platform.operator.post(`/workspaces/${agent.id}/pause`);
    const hidden = await send(sender.caller, agent.id, 'hidden', { messageId: 'hidden' });
    const path = `/workspaces/${agent.id}/activity?type=a2a_receive&since_id=${textAt(hidden.body, 'activity_id')}`;
    expect(await agent.caller.get(path)).toMatchObject({ status: 410, body: { code: 'cursor_not_found' } });
    expect((await platform.operator.get(path)).status).toBe(200);
    await replyTo(agent, sender, 'hidden');
    const record = await sender.caller.get(`/workspaces/${sender.id}/messages/hidden`);
    expect(record.body).toMatchObject({ state: 'queued' });
    await platform.operator.post(`/workspaces/${agent.id}/resume`);
    expect((await agent.caller.get(path)).status).toBe(200);
  });
});
