import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform();
});
afterAll(() => running.platform.close());

type Joined = { id: string; token: string };
const beat = ({ id, token }: Joined, body: object = {}) =>
  running.call('POST', '/registry/heartbeat', { token, body: { workspace_id: id, ...body } });
const statusAfter = async (joined: Joined, body: object) => (await beat(joined, body)).body.workspace_status;
const read = async ({ id }: Joined) => (await running.call('GET', `/workspaces/${id}`)).body;
const listed = async ({ id }: Joined) => {
  const { body } = await running.call('GET', '/workspaces');
  return body.find((row: { id: string }) => row.id === id);
};

describe('a heartbeat', () => {
  it('returns what the state poll would', async () => {
    const joined = await running.join();
    const { status, body } = await beat(joined);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'ok',
      workspace_status: 'online',
      paused: false,
      deleted: false,
      pending: 0,
    });
    expect(Date.parse(body.server_time)).toBeGreaterThan(0);
  });

  it('turns a workspace online that has never registered', async () => {
    const created = await running.create();
    expect(await statusAfter(created, {})).toBe('online');
  });

  it('degrades from 0.5 and recovers below 0.1', async () => {
    const joined = await running.join();
    const statuses = [];
    for (const error_rate of [0.5, 0.49, 0.1, 0.09]) statuses.push(await statusAfter(joined, { error_rate }));
    expect(statuses).toEqual(['degraded', 'degraded', 'degraded', 'online']);
  });

  it('degrades a wedged runtime until it reports another state', async () => {
    const joined = await running.join();
    expect(await statusAfter(joined, { runtime_state: 'wedged', sample_error: 'stuck' })).toBe('degraded');
    expect(await read(joined)).toMatchObject({ wedged: true });
    expect(await statusAfter(joined, {})).toBe('degraded');
    expect(await statusAfter(joined, { runtime_state: '' })).toBe('online');
  });

  it('ignores the error rate of an agent that manages its status, but not that it is wedged', async () => {
    const joined = await running.join();
    const runtime_metadata = { capabilities: { status_mgmt: true } };
    expect(await statusAfter(joined, { error_rate: 0.9, runtime_metadata })).toBe('online');
    expect(await statusAfter(joined, { error_rate: 0.9, runtime_state: 'wedged' })).toBe('degraded');
    expect(await statusAfter(joined, { runtime_state: '' })).toBe('online');
  });

  it('keeps each missing metric', async () => {
    const joined = await running.join();
    await beat(joined, {
      error_rate: 0.2,
      sample_error: 'timeout',
      active_tasks: 3,
      uptime_seconds: 60,
      current_task: 'indexing',
      monthly_spend: 120,
    });
    await beat(joined);
    const kept = {
      last_error_rate: 0.2,
      last_sample_error: 'timeout',
      active_tasks: 3,
      uptime_seconds: 60,
      current_task: 'indexing',
      monthly_spend: 120,
    };
    expect(await listed(joined)).toMatchObject(kept);
    await beat(joined, { active_tasks: 0, monthly_spend: 0, current_task: '' });
    expect(await listed(joined)).toMatchObject({ ...kept, active_tasks: 0, current_task: '' });
  });

  it('stores a card, as update-card does', async () => {
    const joined = await running.join();
    await beat(joined, { agent_card: { name: 'b', skills: ['x'], custom: { deep: [1] } } });
    expect((await read(joined)).agent_card).toEqual({ name: 'b', skills: ['x'], custom: { deep: [1] } });
    const { id, token } = joined;
    const body = { workspace_id: id, agent_card: { name: 'c' } };
    expect((await running.call('POST', '/registry/update-card', { token, body })).body).toEqual({
      status: 'updated',
    });
    expect((await read(joined)).agent_card).toEqual({ name: 'c' });
  });

  it('refuses invalid metrics', async () => {
    const joined = await running.join();
    for (const wrong of [
      { error_rate: 1.5 },
      { error_rate: '0' },
      { active_tasks: -1 },
      { active_tasks: 0.5 },
    ]) {
      expect(await beat(joined, wrong)).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', field: Object.keys(wrong)[0] },
      });
    }
  });
});
