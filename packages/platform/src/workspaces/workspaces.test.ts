import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

// Details that no behaviour of the conformance tests has.

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform();
});
afterAll(() => running.platform.close());

const UNKNOWN_ID = '11111111-2222-4333-8444-555555555555';
const read = async (id: string) => (await running.call('GET', `/workspaces/${id}`)).body;

describe('the URL of a workspace', () => {
  it('is kept at its creation, and none for a placeholder', async () => {
    const url = 'https://your-agent.example.com';
    const withUrl = await running.create({ url });
    expect(await read(withUrl.id)).toMatchObject({ url, delivery_mode: 'push', status: 'awaiting_agent' });
    for (const placeholder of ['', 'remote://no-inbound', 'REMOTE:x']) {
      const { id } = await running.create({ url: placeholder });
      expect(await read(id)).toMatchObject({ url: '', delivery_mode: 'poll' });
    }
    const push = { name: 'a', external: true, delivery_mode: 'push' };
    expect((await running.call('POST', '/workspaces', { body: push })).body.code).toBe('url_required');
  });

  it('decides how its agent receives, unless the agent polls', async () => {
    const { id, token } = await running.create();
    const register = async (body: object) =>
      (await running.call('POST', '/registry/register', { token, body: { id, ...body } })).body;
    const url = 'https://agent.example.com/a2a';
    expect((await register({ url })).delivery_mode).toBe('push');
    expect((await register({})).delivery_mode).toBe('push');
    expect(await read(id)).toMatchObject({ url });
    expect((await register({ url: 'remote://no-inbound' })).delivery_mode).toBe('poll');
    expect((await register({ delivery_mode: 'push' })).code).toBe('url_required');
    const ignored = { delivery_mode: 'poll', url: 'http://10.0.0.1/' };
    expect((await register(ignored)).delivery_mode).toBe('poll');
    expect(await read(id)).toMatchObject({ url: '' });
  });
});

it('a parent that does not exist, or would close a circle of three, is refused', async () => {
  const top = await running.create();
  const middle = await running.create({ parent_id: top.id.toUpperCase() });
  const bottom = await running.create({ parent_id: middle.id });
  const refused = { status: 400, body: { code: 'invalid_parent', field: 'parent_id' } };
  const body = { name: 'a', external: true, parent_id: UNKNOWN_ID };
  expect(await running.call('POST', '/workspaces', { body })).toMatchObject(refused);
  for (const parent_id of [top.id, bottom.id, UNKNOWN_ID]) {
    expect(await running.call('PATCH', `/workspaces/${top.id}`, { body: { parent_id } })).toMatchObject(
      refused,
    );
  }
  expect((await read(middle.id)).parent_id).toBe(top.id);
});

it('a change with a field that is not allowed changes nothing', async () => {
  const { id, token } = await running.create({ name: 'old' });
  for (const [field, value] of Object.entries({ parent_id: null, tier: 1, runtime: 'external', url: '' })) {
    const body = { name: 'not taken', [field]: value };
    expect(await running.call('PATCH', `/workspaces/${id}`, { token, body })).toMatchObject({
      status: 403,
      body: { code: 'forbidden', field },
    });
  }
  expect((await read(id)).name).toBe('old');
});

it('a workspace is read by those who may communicate with it', async () => {
  const parent = await running.create();
  const child = await running.create({ parent_id: parent.id });
  const grandchild = await running.create({ parent_id: child.id });
  const statusOf = async (id: string, token: string) =>
    (await running.call('GET', `/workspaces/${id}`, { token })).status;
  for (const { id } of [parent, child, grandchild]) expect(await statusOf(id, child.token)).toBe(200);
  for (const id of [grandchild.id, UNKNOWN_ID]) expect(await statusOf(id, parent.token)).toBe(403);
});

it('purging deletes the row of a workspace, so that its token is unknown', async () => {
  const { id, token } = await running.join();
  const purged = await running.call('DELETE', `/workspaces/${id}?purge=true`);
  expect(purged.body).toEqual({ status: 'purged', cascade_deleted: 0 });
  expect((await running.call('GET', `/workspaces/${id}?include_removed=true`)).status).toBe(404);
  expect((await running.call('GET', `/workspaces/${id}/state`, { token })).status).toBe(401);
  expect((await running.call('GET', `/workspaces/${id}/state`)).body).toMatchObject({ deleted: true });
});
