import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform();
});
afterAll(() => running.platform.close());

const UNKNOWN_ID = '11111111-2222-4333-8444-555555555555';
const statusOf = async (id: string) => (await running.call('GET', `/workspaces/${id}`)).body.status;

describe('creating a workspace', () => {
  it('returns its connection with the first token, in awaiting_agent', async () => {
    const { status, body } = await running.call('POST', '/workspaces', {
      body: { name: "O'Neil's agent", role: 'sre', runtime: 'external', tier: 2, canvas: { x: 10, y: 20.5 } },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ external: true, status: 'awaiting_agent' });
    const { url } = running.platform;
    expect(body.connection).toMatchObject({
      workspace_id: body.id,
      platform_url: url,
      registry_endpoint: `${url}/registry/register`,
      heartbeat_endpoint: `${url}/registry/heartbeat`,
    });
    expect(body.connection.auth_token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(body.connection.curl_register_template).toContain("O'\\''Neil");
    const read = await running.call('GET', `/workspaces/${body.id}`);
    expect(read.body).toMatchObject({
      name: "O'Neil's agent",
      role: 'sre',
      tier: 2,
      x: 10,
      y: 20.5,
      runtime: 'external',
      status: 'awaiting_agent',
      url: '',
      delivery_mode: 'poll',
      collapsed: false,
      max_concurrent_tasks: 1,
      last_heartbeat_at: null,
    });
  });

  it('stores a URL unchanged, and none for a placeholder', async () => {
    const withUrl = await running.create({ url: 'https://your-agent.example.com' });
    const read = await running.call('GET', `/workspaces/${withUrl.id}`);
    expect(read.body).toMatchObject({
      url: 'https://your-agent.example.com',
      delivery_mode: 'push',
      status: 'awaiting_agent',
    });
    for (const url of ['', 'remote://no-inbound', 'REMOTE:x']) {
      const { id } = await running.create({ url });
      expect((await running.call('GET', `/workspaces/${id}`)).body).toMatchObject({
        url: '',
        delivery_mode: 'poll',
      });
    }
    const push = { name: 'a', external: true, delivery_mode: 'push' };
    expect((await running.call('POST', '/workspaces', { body: push })).body.code).toBe('url_required');
  });

  it.each([
    'http://169.254.169.254/',
    'http://[::ffff:10.0.0.1]/',
    'http://0.0.0.0/',
    'http://127.0.0.1:9000',
    'http://localhost:9000',
    'http://10.1.2.3',
    'http://172.16.0.1',
    'http://192.168.1.1',
    'http://0177.0.0.1/',
    'http://0x7f000001/',
    'http://2130706433/',
    'http://[::1]/',
    'http://[::]/',
    'http://[fe80::1]/',
    'http://[fd00::1]/',
    'http://100.64.0.1/',
    'http://198.18.0.1/',
    'http://224.0.0.1/',
    'http://240.0.0.1/',
    'http://[64:ff9b::a00:1]/',
    'ftp://agent.example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'http://user:password@agent.example.com/',
    'not a url',
  ])('refuses %s in production, at create, register and patch', async (url) => {
    const refusal = { status: 400, body: { code: 'unsafe_url', field: 'url' } };
    const body = { name: 'a', external: true, url };
    expect(await running.call('POST', '/workspaces', { body })).toMatchObject(refusal);
    const { id, token } = await running.create();
    const register = await running.call('POST', '/registry/register', { token, body: { id, url } });
    expect(register).toMatchObject(refusal);
    expect(await running.call('PATCH', `/workspaces/${id}`, { body: { url } })).toMatchObject(refusal);
    expect((await running.call('GET', `/workspaces/${id}`)).body).toMatchObject({
      url: '',
      status: 'awaiting_agent',
    });
  });

  it('needs an existing parent', async () => {
    const parent = await running.create();
    const child = await running.create({ parent_id: parent.id.toUpperCase() });
    expect((await running.call('GET', `/workspaces/${child.id}`)).body.parent_id).toBe(parent.id);
    const body = { name: 'a', external: true, parent_id: UNKNOWN_ID };
    expect(await running.call('POST', '/workspaces', { body })).toMatchObject({
      status: 400,
      body: { code: 'invalid_parent', field: 'parent_id' },
    });
  });

  it('refuses containers and secrets rather than losing them', async () => {
    for (const extra of [
      { external: false },
      { external: undefined, runtime: 'langgraph' },
      { secrets: { A: 'b' } },
    ]) {
      const body = { name: 'a', external: true, ...extra };
      expect((await running.call('POST', '/workspaces', { body })).body.code).toBe('not_supported');
    }
  });
});

describe('reading a workspace', () => {
  it('is allowed for operators, itself and those who may communicate with it', async () => {
    const parent = await running.create();
    const child = await running.create({ parent_id: parent.id });
    const grandchild = await running.create({ parent_id: child.id });
    const read = (id: string, token: string) => running.call('GET', `/workspaces/${id}`, { token });
    expect((await read(child.id, child.token)).status).toBe(200);
    expect((await read(parent.id, child.token)).status).toBe(200);
    expect((await read(grandchild.id, child.token)).status).toBe(200);
    expect(await read(grandchild.id, parent.token)).toMatchObject({
      status: 403,
      body: { code: 'access_denied' },
    });
    expect(await read(UNKNOWN_ID, parent.token)).toMatchObject({
      status: 403,
      body: { code: 'access_denied' },
    });
  });
});

describe('changing a workspace', () => {
  it('allows only the operator to change tier and parent', async () => {
    const { id, token } = await running.create();
    const patch = (body: unknown, by?: string) =>
      running.call('PATCH', `/workspaces/${id}`, { body, ...(by === undefined ? {} : { token: by }) });
    const own = await patch({ name: 'new', role: null, x: 1, y: 2, collapsed: true }, token);
    expect(own).toMatchObject({ status: 200, body: { status: 'updated' } });
    for (const [field, value] of Object.entries({ parent_id: null, tier: 1, runtime: 'external', url: '' })) {
      expect(await patch({ name: 'not taken', [field]: value }, token)).toMatchObject({
        status: 403,
        body: { code: 'forbidden', field },
      });
    }
    expect((await patch({ tier: 9, x: 5 })).status).toBe(200);
    expect((await running.call('GET', `/workspaces/${id}`)).body).toMatchObject({
      name: 'new',
      collapsed: true,
      tier: 9,
      x: 1,
      y: 2,
    });
  });

  it('refuses cycles in the hierarchy', async () => {
    const top = await running.create();
    const middle = await running.create({ parent_id: top.id });
    const bottom = await running.create({ parent_id: middle.id });
    const move = (id: string, parent_id: string | null) =>
      running.call('PATCH', `/workspaces/${id}`, { body: { parent_id } });
    for (const parent of [top.id, middle.id, bottom.id, UNKNOWN_ID]) {
      expect(await move(top.id, parent)).toMatchObject({ status: 400, body: { code: 'invalid_parent' } });
    }
    expect((await move(bottom.id, top.id)).status).toBe(200);
    expect((await move(bottom.id, null)).status).toBe(200);
  });
});

describe('removing a workspace', () => {
  it('needs a confirmation when there are children, then removes all of them', async () => {
    const parent = await running.create();
    const child = await running.create({ parent_id: parent.id, name: 'child' });
    const grandchild = await running.create({ parent_id: child.id });
    const path = `/workspaces/${parent.id}`;
    expect(await running.call('DELETE', path)).toMatchObject({
      status: 409,
      body: { code: 'confirmation_required', children: [{ id: child.id, name: 'child' }], children_count: 1 },
    });
    expect(await statusOf(parent.id)).toBe('awaiting_agent');
    const removed = await running.call('DELETE', `${path}?confirm=true`);
    expect(removed).toMatchObject({ status: 200, body: { status: 'removed', cascade_deleted: 2 } });
    for (const { id, token } of [parent, child, grandchild]) {
      expect((await running.call('GET', `/workspaces/${id}`)).status).toBe(410);
      expect((await running.call('GET', `/workspaces/${id}/state`, { token })).status).toBe(404);
    }
    const again = await running.call('DELETE', path);
    expect(again).toMatchObject({ status: 200, body: { status: 'removed', cascade_deleted: 0 } });
    expect(await running.call('DELETE', `/workspaces/${UNKNOWN_ID}`)).toMatchObject({
      status: 200,
      body: { status: 'removed', cascade_deleted: 0 },
    });
  });

  it('keeps the row, so that the old token gets workspace_removed', async () => {
    const { id, token } = await running.join();
    await running.call('DELETE', `/workspaces/${id}`);
    const asAgent = (method: string, path: string, body?: unknown) =>
      running.call(method, path, { token, body });
    expect(await asAgent('GET', `/workspaces/${id}/state`)).toMatchObject({
      status: 404,
      body: { code: 'workspace_removed', workspace_id: id, status: 'removed', deleted: true },
    });
    for (const path of ['/registry/heartbeat', '/registry/register']) {
      expect(await asAgent('POST', path, { id, workspace_id: id })).toMatchObject({
        status: 401,
        body: { code: 'workspace_removed', deleted: true },
      });
    }
    const read = await asAgent('GET', `/workspaces/${id}`);
    expect(read).toMatchObject({ status: 410, body: { error: 'workspace removed', id } });
    expect(read.body.removed_at).toEqual(expect.any(String));
    expect(read.body.hint).toEqual(expect.any(String));
    expect((await asAgent('GET', `/workspaces/${id}/tokens`)).status).toBe(401);
    const withRemoved = await running.call('GET', `/workspaces/${id}?include_removed=true`);
    expect(withRemoved).toMatchObject({ status: 200, body: { status: 'removed' } });
    expect((await running.call('GET', `/workspaces/${id}?include_removed=1`)).status).toBe(410);
    const list = await running.call('GET', '/workspaces');
    expect(list.body.some((row: { id: string }) => row.id === id)).toBe(false);
  });

  it('deletes everything with purge', async () => {
    const { id, token } = await running.join();
    const purged = await running.call('DELETE', `/workspaces/${id}?purge=true`);
    expect(purged.body).toEqual({ status: 'purged', cascade_deleted: 0 });
    expect((await running.call('GET', `/workspaces/${id}?include_removed=true`)).status).toBe(404);
    expect((await running.call('GET', `/workspaces/${id}/state`, { token })).status).toBe(401);
    expect((await running.call('GET', `/workspaces/${id}/state`)).body).toMatchObject({ deleted: true });
  });
});

describe('pausing', () => {
  it('lasts until the resume, and keeps the URL', async () => {
    const { id, token } = await running.create({ url: 'https://agent.example.com' });
    const beat = () => running.call('POST', '/registry/heartbeat', { token, body: { workspace_id: id } });
    await running.call('POST', '/registry/register', { token, body: { id } });
    expect(await statusOf(id)).toBe('online');
    const paused = await running.call('POST', `/workspaces/${id}/pause`, { token });
    expect(paused.body).toEqual({ status: 'paused', paused_count: 1 });
    const again = await running.call('POST', `/workspaces/${id}/pause`, { token });
    expect(again.body.code).toBe('already_paused');
    await running.call('POST', '/registry/register', { token, body: { id, agent_card: { name: 'b' } } });
    expect((await beat()).body).toMatchObject({ workspace_status: 'paused', paused: true, deleted: false });
    const state = await running.call('GET', `/workspaces/${id}/state`, { token });
    expect(state.body).toEqual({ workspace_id: id, status: 'paused', paused: true, deleted: false });
    const resumed = await running.call('POST', `/workspaces/${id}/resume`);
    expect(resumed.body).toEqual({ status: 'awaiting_agent', resumed_count: 1 });
    expect((await running.call('POST', `/workspaces/${id}/resume`)).body.code).toBe('not_paused');
    expect((await running.call('GET', `/workspaces/${id}`)).body).toMatchObject({
      status: 'awaiting_agent',
      url: 'https://agent.example.com',
      agent_card: { name: 'b' },
    });
    expect((await beat()).body.workspace_status).toBe('online');
  });

  it('includes the descendants, and a child cannot resume before its parent', async () => {
    const parent = await running.join();
    const child = await running.join({ parent_id: parent.id });
    const paused = await running.call('POST', `/workspaces/${parent.id}/pause`);
    expect(paused.body.paused_count).toBe(2);
    expect(await running.call('POST', `/workspaces/${child.id}/resume`)).toMatchObject({
      status: 409,
      body: { code: 'parent_paused' },
    });
    const resumed = await running.call('POST', `/workspaces/${parent.id}/resume`);
    expect(resumed.body.resumed_count).toBe(2);
  });
});
