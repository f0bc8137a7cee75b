import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import type { PlatformOptions } from '../index.ts';

let running: RunningPlatform;
afterEach(() => running.platform.close());

const start = async (options: PlatformOptions = {}) => {
  running = await startPlatform(options);
  return running;
};

const UNKNOWN_ID = '11111111-2222-4333-8444-555555555555';

describe('the first register', () => {
  it('by the workspace itself turns it online and returns no token', async () => {
    const { call, create } = await start();
    const { id, token } = await create();
    const body = { workspace_id: id, delivery_mode: 'poll', agent_card: { name: 'a', skills: ['x'] } };
    const registered = await call('POST', '/registry/register', { token, body });
    expect(registered).toMatchObject({ status: 200 });
    expect(registered.body).toEqual({
      status: 'registered',
      id,
      workspace_id: id,
      delivery_mode: 'poll',
      org_id: null,
      expires_at: null,
      issuer: expect.stringMatching(/^urn:molecule:[0-9a-f-]{36}$/),
      capabilities: expect.arrayContaining(['acknowledge', 'outcomes']),
    });
    expect((await call('GET', `/workspaces/${id}`, { token })).body).toMatchObject({
      status: 'online',
      runtime: 'external',
      agent_card: { name: 'a', skills: ['x'] },
    });
  });

  it('without a credential claims it inside the window, and revokes the unused first token', async () => {
    const { call, create } = await start();
    const { id, token: first } = await create();
    const claim = () => call('POST', '/registry/register', { token: null, body: { id } });
    const { status, body } = await claim();
    expect(status).toBe(200);
    expect((await call('GET', `/workspaces/${id}/state`, { token: body.auth_token })).status).toBe(200);
    expect((await call('GET', `/workspaces/${id}/state`, { token: first })).status).toBe(401);
    expect((await claim()).status).toBe(401);
  });

  it('without a credential is refused after the window, or once the first token was used', async () => {
    const clock = new ManualClock();
    const { call, create } = await start({ clock });
    const claim = (id: string) => call('POST', '/registry/register', { token: null, body: { id } });
    const used = await create();
    await call('GET', `/workspaces/${used.id}/state`, { token: used.token });
    expect((await claim(used.id)).status).toBe(401);
    const late = await create();
    clock.advance(15 * 60_000);
    expect((await claim(late.id)).status).toBe(401);
    const byOperator = await call('POST', '/registry/register', { body: { id: late.id } });
    expect(byOperator.body.auth_token).toEqual(expect.any(String));
  });

  it('issues one token when many claim at once', async () => {
    const { call, create } = await start();
    const { id } = await create();
    const claims = await Promise.all(
      Array.from({ length: 20 }, () => call('POST', '/registry/register', { token: null, body: { id } })),
    );
    const tokens = claims.flatMap(({ body }) => (body.auth_token === undefined ? [] : [body.auth_token]));
    expect(tokens).toHaveLength(1);
    expect(claims.filter(({ status }) => status === 401)).toHaveLength(19);
    expect((await call('GET', `/workspaces/${id}/tokens`)).body.count).toBe(1);
  });

  it('in dev mode needs no credential', async () => {
    const { call } = await start({ mode: 'dev' });
    const created = await call('POST', '/workspaces', {
      token: null,
      body: { name: 'My External Agent', external: true, url: 'http://my-host:5000', tier: 2 },
    });
    const body = { workspace_id: created.body.id, url: 'http://my-host:5000', agent_card: { name: 'a' } };
    const registered = await call('POST', '/registry/register', { token: null, body });
    expect(registered.body.auth_token).toEqual(expect.any(String));
  });
});

describe('every other register', () => {
  it('is the same 401, and changes nothing', async () => {
    const { call, create, join } = await start();
    const mine = await join({ url: 'https://agent.example.com' });
    const other = await create();
    const attempt = (id: string, token: string | null) =>
      call('POST', '/registry/register', { token, body: { id, url: 'https://elsewhere.example.com' } });
    const refusals = [
      await attempt(mine.id, null),
      await attempt(mine.id, other.token),
      await attempt(mine.id, 'wrong'),
      await attempt(UNKNOWN_ID, null),
      await attempt(UNKNOWN_ID, other.token),
      await attempt(UNKNOWN_ID, 'wrong'),
    ];
    for (const { status, body } of refusals) {
      expect(status).toBe(401);
      expect(body).toEqual(refusals[0]?.body);
    }
    expect((await call('GET', `/workspaces/${mine.id}`)).body.url).toBe('https://agent.example.com');
    expect((await call('GET', `/workspaces/${UNKNOWN_ID}`)).status).toBe(404);
  });

  it('by an operator changes the agent, and mints a token only on request', async () => {
    const { call, join } = await start();
    const { id, token } = await join();
    const register = (body: object) => call('POST', '/registry/register', { body: { id, ...body } });
    const plain = await register({ url: 'https://agent.example.com' });
    expect(plain.body).toMatchObject({ status: 'registered', delivery_mode: 'push' });
    expect(plain.body.auth_token).toBeUndefined();
    const rotated = await register({ rotate: true });
    expect((await call('GET', `/workspaces/${id}/state`, { token })).status).toBe(401);
    const state = await call('GET', `/workspaces/${id}/state`, { token: rotated.body.auth_token });
    expect(state.status).toBe(200);
    const unknown = await call('POST', '/registry/register', { body: { id: UNKNOWN_ID } });
    expect(unknown.body.code).toBe('workspace_not_found');
  });

  it('names one workspace by either key, never two', async () => {
    const { call, create } = await start();
    const { id, token } = await create();
    const register = (body: object) => call('POST', '/registry/register', { token, body });
    expect((await register({ id, workspace_id: id.toUpperCase() })).status).toBe(200);
    expect((await register({ id, workspace_id: UNKNOWN_ID })).body.code).toBe('invalid_request');
    expect((await register({})).body.code).toBe('invalid_request');
    expect((await register({ id: 'ws_1' })).body).toMatchObject({
      code: 'invalid_workspace_id',
      field: 'id',
    });
  });

  it('decides the delivery mode by the URL', async () => {
    const { call, create } = await start();
    const { id, token } = await create();
    const register = async (body: object) =>
      (await call('POST', '/registry/register', { token, body: { id, ...body } })).body;
    expect((await register({ url: 'https://agent.example.com/a2a' })).delivery_mode).toBe('push');
    expect((await register({})).delivery_mode).toBe('push');
    expect((await call('GET', `/workspaces/${id}`)).body.url).toBe('https://agent.example.com/a2a');
    expect((await register({ url: 'remote://no-inbound' })).delivery_mode).toBe('poll');
    expect((await call('GET', `/workspaces/${id}`)).body.url).toBe('');
    expect((await register({ delivery_mode: 'push' })).code).toBe('url_required');
    const ignored = { delivery_mode: 'poll', url: 'http://10.0.0.1/' };
    expect((await register(ignored)).delivery_mode).toBe('poll');
  });
});
