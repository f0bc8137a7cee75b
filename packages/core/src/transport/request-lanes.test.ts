import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { stage } from '../../test/test-client.ts';

const READ = `GET /workspaces/${SELF}/activity`;

describe('with all requests of a client in use by calls', () => {
  it('presence, reads, acknowledgements and replies do not wait', async () => {
    await using s = await stage('hang', { limits: { maxConnections: 1 } });
    const calls = [s.client.callPeer(PEER, 'slow'), s.client.callPeer(PEER, 'waits')];
    for (const call of calls) call.catch(() => {});
    await s.server.waitForRequests(1);
    const { routes } = s.server;
    routes.set('POST /registry/heartbeat', { body: { status: 'ok', paused: false } });
    routes.set('POST /registry/register', { body: { status: 'registered' } });
    routes.set('POST /registry/goodbye', { body: { status: 'ok' } });
    routes.set(`GET /workspaces/${SELF}/state`, {
      body: { workspace_id: SELF, status: 'online', paused: false, deleted: false },
    });
    routes.set(READ, { body: [] });
    routes.set(`POST /workspaces/${SELF}/activity/ack`, { body: { status: 'ok', acknowledged: 1, seq: 1 } });
    routes.set(`POST /workspaces/${SELF}/notify`, { body: { status: 'sent', activity_id: SELF } });
    expect(await s.client.heartbeat()).toMatchObject({ paused: false });
    await s.client.register();
    expect(await s.client.pollState()).toMatchObject({ status: 'online' });
    expect(await s.client.fetchInbound()).toEqual([]);
    await s.client.acknowledge(1);
    await s.client.notify('still here');
    await s.port.goodbye(SELF);
    s.server.routes.set(`POST /workspaces/${PEER}/a2a`, {
      status: 200,
      body: { jsonrpc: '2.0', result: {} },
    });
    const target = { id: SELF, source: 'peer_agent', peerId: PEER, messageId: SELF, contextId: '' } as const;
    await s.client.reply(target, 'an answer');
    const sent = s.server.requests.filter(({ path }) => path.endsWith('/a2a'));
    expect(sent.map(({ rawBody }) => rawBody.includes('an answer'))).toEqual([false, true]);
  });

  it('reads wait for reads, and calls for calls', async () => {
    await using s = await stage('hang', { limits: { maxConnections: 1 } });
    const reads = [s.client.fetchInbound(), s.client.fetchInbound()];
    const calls = [s.client.getPeers(), s.client.getPeers()];
    for (const request of [...reads, ...calls]) request.catch(() => {});
    await s.server.waitForRequests(2);
    s.server.routes.set('POST /registry/heartbeat', { body: { status: 'ok', paused: false } });
    await s.client.heartbeat();
    expect(s.server.requests.map(({ path }) => path).sort()).toEqual(
      [`/registry/${SELF}/peers`, '/registry/heartbeat', `/workspaces/${SELF}/activity`].sort(),
    );
  });
});
