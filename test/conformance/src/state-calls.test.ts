import { answering } from '@molecule-tests/harness';
import { decodeJwt } from 'jose';
import { expect } from 'vitest';
import { rowsOf, textAt, trackCall } from './harness/http.ts';
import { onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const statusOf = ({ body }: { body: unknown }) => textAt(body, 'params', 'status');

onEachDatabase('state calls', (environment) => {
  verifies('state-calls.push', 'push', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('noted') });
    const target = await onboard(platform, { url: `${agent.url}/a2a` });
    await platform.operator.post(`/workspaces/${target.id}/pause`);
    await agent.received(1);
    await platform.operator.post(`/workspaces/${target.id}/resume`);
    await agent.received(2);
    await platform.operator.delete(`/workspaces/${target.id}`);
    const requests = await agent.received(3);
    expect(requests.map(statusOf)).toEqual(['paused', 'awaiting_agent', 'removed']);
    for (const { method, path, headers, body } of requests) {
      expect({ method, path }).toEqual({ method: 'POST', path: '/a2a' });
      expect(body).toEqual({
        jsonrpc: '2.0',
        id: expect.any(String),
        method: 'molecule/state',
        params: { status: expect.any(String) },
      });
      expect(headers['x-caller-kind']).toBe('canvas_user');
      expect(headers['x-workspace-id']).toBeUndefined();
      const claims = decodeJwt(headers.authorization?.replace(/^Bearer /, '') ?? '');
      expect(claims).toMatchObject({ aud: target.id, sub: 'canvas', use: 'push' });
    }
  });

  verifies('state-calls.push', 'descendants', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('noted') });
    const root = await onboard(platform, { name: 'root' });
    const url = agent.url;
    const child = await onboard(platform, { name: 'child', parent: root.id, url });
    const grandchild = await onboard(platform, { name: 'grandchild', parent: child.id, url });
    await onboard(platform, { name: 'bystander', url });
    await platform.operator.post(`/workspaces/${root.id}/pause`);
    const requests = await agent.received(2);
    await environment.untilStable(() => agent.requests.length);
    const called = requests.map(({ headers }) =>
      String(decodeJwt(headers.authorization?.replace(/^Bearer /, '') ?? '').aud),
    );
    expect(called.sort()).toEqual([child.id, grandchild.id].sort());
    expect(requests.map(statusOf)).toEqual(['paused', 'paused']);
  });

  verifies('state-calls.push', 'best effort', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    const target = await onboard(platform, { url: `${agent.url}/a2a` });
    expect((await platform.operator.post(`/workspaces/${target.id}/pause`)).status).toBe(200);
    await agent.received(1);
    await platform.clock.advance(5_000);
    agent.react(() => ({ kind: 'json', body: { error: 'no' }, status: 503 }));
    expect((await platform.operator.post(`/workspaces/${target.id}/resume`)).status).toBe(200);
    await agent.received(2);
    await platform.clock.advance(120_000);
    expect(agent.requests.map(statusOf)).toEqual(['paused', 'awaiting_agent']);
    // Messages are pushed as before.
    agent.react(answering('here'));
    await target.caller.post('/registry/heartbeat', { workspace_id: target.id });
    expect((await send(platform.operator, target.id, 'hello', { hold: 10 })).status).toBe(200);
  });

  verifies('state-calls.held-reads', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const sender = await onboard(platform, { name: 'sender' });
    const target = await onboard(platform, { name: 'target' });
    const path = `/workspaces/${target.id}/activity`;
    const hold = async () => {
      const timers = platform.clock.pending;
      const feed = trackCall(target.caller.get(`${path}?type=a2a_receive&unacknowledged=true&wait=50`));
      const control = trackCall(target.caller.get(`${path}?only=control&wait=50`));
      // Each waits with a timer.
      await environment.untilStable(() => platform.clock.pending);
      expect(platform.clock.pending).toBeGreaterThanOrEqual(timers + 2);
      expect([feed.isComplete, control.isComplete]).toEqual([false, false]);
      return Promise.all([feed.response, control.response]);
    };
    const atPause = hold();
    await environment.untilStable(() => platform.clock.pending);
    await platform.operator.post(`/workspaces/${target.id}/pause`);
    expect((await atPause).map(rowsOf)).toEqual([[], []]);
    const atResume = hold();
    await environment.untilStable(() => platform.clock.pending);
    await send(sender.caller, target.id, 'while paused');
    await platform.operator.post(`/workspaces/${target.id}/resume`);
    const [feed, control] = await atResume;
    expect([rowsOf(feed).length, rowsOf(control).length]).toEqual([1, 0]);
    await target.caller.post(`${path}/ack`, { up_to: textAt(rowsOf(feed)[0], 'id') });
    const atRemoval = hold();
    await environment.untilStable(() => platform.clock.pending);
    await platform.operator.delete(`/workspaces/${target.id}`);
    await atRemoval;
    expect(await target.caller.get(`${path}?type=a2a_receive&wait=50`)).toMatchObject({
      status: 401,
      body: { code: 'workspace_removed' },
    });
  });
});
