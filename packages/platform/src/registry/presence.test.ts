import { afterAll, beforeAll, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { openFolder, openPlatform } from '../../test/resources-of-test.ts';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

type Joined = { readonly id: string; readonly token: string };

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform();
});
afterAll(() => running.platform.close());

const statusAfter = async ({ id, token }: Joined, body: object) =>
  (await running.call('POST', '/registry/heartbeat', { token, body: { workspace_id: id, ...body } })).body
    .workspace_status;

it('a heartbeat turns a workspace online that has never registered', async () => {
  expect(await statusAfter(await running.create(), {})).toBe('online');
});

it('a wedged agent is degraded until it reports another state, also one that manages its status', async () => {
  const joined = await running.join();
  const wedged = { runtime_state: 'wedged', error_rate: 0.9 };
  for (const runtime_metadata of [{}, { capabilities: { status_mgmt: true } }]) {
    const statuses = [];
    for (const body of [{ ...wedged, runtime_metadata }, {}, { runtime_state: '', error_rate: 0 }])
      statuses.push(await statusAfter(joined, body));
    expect(statuses).toEqual(['degraded', 'degraded', 'online']);
  }
  expect(await statusAfter(joined, { error_rate: 0.9 })).toBe('online');
});

it('a peer that is paused, or removed, says why it cannot be discovered', async () => {
  const [me, peer] = [await running.join(), await running.join()];
  const discover = () => running.call('GET', `/registry/discover/${peer.id}`, { token: me.token });
  await running.call('POST', `/workspaces/${peer.id}/pause`);
  expect(await discover()).toMatchObject({
    status: 503,
    body: { code: 'workspace_unavailable', status: 'paused' },
  });
  await running.call('DELETE', `/workspaces/${peer.id}`);
  expect(await discover()).toMatchObject({ status: 410, body: { code: 'workspace_removed' } });
});

it('an agent has a whole window after a restart, and none before its first heartbeat', async () => {
  const dataDir = openFolder();
  const before = await openPlatform({ clock: new ManualClock(), data: { directory: dataDir } });
  const [agent, waiting] = [await before.join(), await before.create()];
  await before.platform.close();
  const clock = new ManualClock(Date.UTC(2027, 0, 1));
  const after = await openPlatform({ clock, data: { directory: dataDir } });
  // In steps, so that each sweep ends before the next is due.
  const statusesAfter = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 5_000) {
      clock.advance(5_000);
      await after.call('GET', '/ready');
    }
    const { body } = await after.call('GET', '/workspaces');
    const of = ({ id }: Joined) => body.find((row: Joined) => row.id === id).status;
    return [of(agent), of(waiting)];
  };
  expect(await statusesAfter(85_000)).toEqual(['online', 'awaiting_agent']);
  expect(await statusesAfter(25_000)).toEqual(['offline', 'awaiting_agent']);
});
