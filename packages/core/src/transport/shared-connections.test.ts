import { expect, it } from 'vitest';
import { SELF } from '../../test/agent-ids.ts';
import { stage } from '../../test/test-client.ts';
import { systemClock } from '../time/clock.ts';

const PEERS = { body: [] };

it('clients of one process share connections, and closing one ends its own requests only', async () => {
  await using one = await stage([PEERS, 'hang', 'hang', PEERS], { connection: { clock: systemClock } });
  const sharing = { connection: { clock: systemClock }, platformUrl: one.server.url };
  await using two = await stage([], sharing);
  await using other = await stage([], { ...sharing, connection: { clock: undefined } });
  await one.client.getPeers();
  const [ended, going] = [one.client.getPeers(), two.client.getPeers()];
  const closed = expect(ended).rejects.toMatchObject({ code: 'client_closed' });
  await one.server.waitForRequests(3);
  await one.client.close();
  await closed;
  await expect(one.client.getPeers()).rejects.toMatchObject({ code: 'client_closed' });
  expect(await other.client.getPeers()).toEqual([]);
  const left = expect(going).rejects.toMatchObject({ code: 'client_closed' });
  await two.client.close();
  await left;
});

it('a second client uses the connection of the first', async () => {
  await using one = await stage([PEERS, PEERS], { connection: { clock: systemClock } });
  await using two = await stage([], { connection: { clock: systemClock }, platformUrl: one.server.url });
  await one.client.getPeers();
  await new Promise<void>((resolve) => setImmediate(resolve));
  await two.client.getPeers();
  expect(one.server.connections).toBe(1);
});

it('each client has its own number of requests at the same time', async () => {
  await using one = await stage(['hang', PEERS], {
    connection: { clock: systemClock },
    limits: { maxConnections: 1 },
  });
  await using two = await stage([], {
    connection: { clock: systemClock },
    platformUrl: one.server.url,
    limits: { maxConnections: 1 },
  });
  const waiting = one.client.getPeers().catch(() => {});
  await one.server.waitForRequests(1);
  const abort = new AbortController();
  const queued = one.client.getPeers({ signal: abort.signal });
  expect(await two.client.getPeers()).toEqual([]);
  abort.abort(new Error('no longer'));
  await expect(queued).rejects.toThrow('no longer');
  expect(one.server.requests).toHaveLength(2);
  await one.client.close();
  await waiting;
});

it('a client uses a connection again before it opens more than its limit', async () => {
  await using s = await stage([], { connection: { clock: systemClock }, limits: { maxConnections: 8 } });
  s.server.routes.set(`GET /registry/${SELF}/peers`, PEERS);
  const readTen = async () => {
    for (let count = 0; count < 10; count += 1) await s.client.getPeers();
  };
  await Promise.all(Array.from({ length: 20 }, readTen));
  expect(s.server.connections).toBe(8);
});
