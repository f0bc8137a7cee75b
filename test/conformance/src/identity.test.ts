import { randomUUID } from 'node:crypto';
import { routes } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { BUILT_ROUTES } from './harness/built-routes.ts';
import type { Caller, Method } from './harness/http.ts';
import { createMember, heartbeat, inbox, type Member, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** Each route of one workspace, with a body that the route would accept. */
function ownRoutes(member: Member): [Method, string, unknown?][] {
  const at = `/workspaces/${member.id}`;
  return [
    ['GET', at],
    ['PATCH', at, { name: 'stolen' }],
    ['POST', `${at}/pause`],
    ['POST', `${at}/resume`],
    ['GET', `${at}/state`],
    ['GET', `${at}/tokens`],
    ['POST', `${at}/tokens`],
    ['DELETE', `${at}/tokens`],
    ['GET', `${at}/activity`],
    ['POST', `${at}/activity`, { activity_type: 'agent_log' }],
    ['POST', `${at}/activity/ack`, { up_to: 1 }],
    ['POST', `${at}/notify`, { message: 'hi' }],
    ['GET', `${at}/messages/m-1`],
    ['GET', `/registry/${member.id}/peers`],
    ['POST', '/registry/heartbeat', { workspace_id: member.id }],
    ['POST', '/registry/update-card', { workspace_id: member.id, agent_card: { name: 'stolen' } }],
    ['POST', '/registry/register', { id: member.id, agent_card: { name: 'stolen' } }],
  ];
}

async function expectRefused(caller: Caller, member: Member): Promise<void> {
  for (const [method, path, body] of ownRoutes(member)) {
    const answer = await caller.send({ method, path, body });
    expect(answer, `${method} ${path}`).toMatchObject({ status: 401, body: { error: expect.any(String) } });
  }
}

onEachDatabase('who a caller is', (environment) => {
  verifies('identity.bearer-decides', 'bearer decides', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    const target = await onboard(platform);
    const headers = [
      {},
      { 'x-source-workspace-id': caller.id },
      { 'x-workspace-id': caller.id },
      { 'x-workspace-id': caller.id, 'x-source-workspace-id': caller.id.toUpperCase() },
    ];
    for (const each of headers) {
      expect((await send(caller.caller, target.id, 'hello', { headers: each })).status).toBe(202);
    }
    const rows = await inbox(target);
    expect(rows).toHaveLength(headers.length);
    for (const row of rows) expect(row).toMatchObject({ source_id: caller.id, source: 'peer_agent' });
  });

  verifies('identity.bearer-decides', 'headers must match', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    const target = await onboard(platform);
    const forged = [
      { 'x-workspace-id': target.id },
      { 'x-source-workspace-id': target.id },
      { 'x-workspace-id': caller.id, 'x-source-workspace-id': target.id },
      { 'x-workspace-id': 'system:canvas' },
      { 'x-workspace-id': randomUUID() },
    ];
    for (const headers of forged) {
      const answer = await send(caller.caller, target.id, 'forged', { headers });
      expect(answer, JSON.stringify(headers)).toMatchObject({
        status: 403,
        body: { code: 'caller_mismatch' },
      });
      const discover = await caller.caller.get(`/registry/discover/${target.id}`, headers);
      expect(discover.status).toBe(403);
    }
    expect(await inbox(target)).toEqual([]);
  });

  verifies('identity.no-credential-is-401', 'no credential is 401', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await expectRefused(platform.anonymous, member);
    await expectRefused(platform.as('x'.repeat(43)), member);
    const open = new Set(['/health', '/ready', '/session', '/registry/register', '/.well-known/jwks.json']);
    for (const name of BUILT_ROUTES) {
      const { method, path } = routes[name];
      if (open.has(path)) continue;
      const filled = path.replace(/:(\w+)/g, (_whole, key: string) =>
        key === 'id' ? member.id : randomUUID(),
      );
      const answer = await platform.anonymous.send({ method, path: filled });
      expect(answer, `${method} ${path}`).toMatchObject({
        status: 401,
        body: { error: expect.any(String), code: 'missing_credentials' },
      });
    }
  });

  verifies('identity.no-credential-is-401', 'open routes', async () => {
    const platform = await environment.platform();
    expect(await platform.anonymous.get('/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await platform.anonymous.get('/ready')).toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  verifies('identity.own-routes-only', 'other workspace is refused', async () => {
    const platform = await environment.platform();
    const parent = await onboard(platform);
    const member = await onboard(platform, { parent: parent.id });
    const sibling = await onboard(platform, { parent: parent.id });
    const routes = ownRoutes(member).filter(
      ([method, path]) => method !== 'GET' || path !== `/workspaces/${member.id}`,
    );
    for (const other of [parent, sibling]) {
      for (const [method, path, body] of routes) {
        const answer = await other.caller.send({ method, path, body });
        expect(answer, `${method} ${path}`).toMatchObject({ status: 401 });
      }
    }
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      name: 'agent',
      status: 'online',
      agent_card: { name: 'agent' },
    });
  });

  verifies('tokens.until-revoked', 'revoked token is refused', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const peer = await onboard(platform);
    await platform.operator.delete(`/workspaces/${member.id}/tokens`);
    await expectRefused(member.caller, member);
    expect((await send(member.caller, peer.id, 'still here')).status).toBe(401);
    expect(await inbox(peer)).toEqual([]);
  });

  verifies('identity.no-credential-is-401', 'no token in the query', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    for (const name of ['token', 'access_token', 'auth_token', 'authorization']) {
      const path = `/workspaces/${member.id}/state?${name}=${member.token}`;
      expect((await platform.anonymous.get(path)).status).toBe(401);
      expect((await platform.anonymous.get(`/workspaces?${name}=${platform.operatorKey}`)).status).toBe(401);
    }
  });

  verifies('identity.own-routes-only', 'operator opens workspace routes', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    for (const path of ['', '/state', '/activity', '/tokens']) {
      expect((await platform.operator.get(`/workspaces/${member.id}${path}`)).status).toBe(200);
    }
    expect((await platform.operator.get(`/registry/${member.id}/peers`)).status).toBe(200);
  });
});

onEachDatabase('sessions', (environment) => {
  verifies('session.cookie', 'cookie; ends', async () => {
    const platform = await environment.platform();
    const opened = await platform.anonymous.post('/session', { operator_key: platform.operatorKey });
    expect(opened).toMatchObject({ status: 200, body: { status: 'ok' } });
    const cookie = String(opened.headers['set-cookie']);
    expect(cookie).toMatch(/;\s*HttpOnly/i);
    expect(cookie).toMatch(/;\s*SameSite=Strict/i);
    expect(cookie).not.toContain(platform.operatorKey);
    const browser = platform.anonymous.with({ cookie: cookie.split(';')[0] ?? '' });
    expect((await browser.get('/workspaces')).status).toBe(200);
    expect((await browser.delete('/session')).status).toBe(200);
    expect((await browser.get('/workspaces')).status).toBe(401);
  });

  verifies('session.cookie', 'wrong key', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    for (const operator_key of ['wrong', member.token, `${platform.operatorKey} `, '']) {
      const answer = await platform.anonymous.post('/session', { operator_key });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.headers).not.toHaveProperty('set-cookie');
    }
    expect((await heartbeat(member)).status).toBe(200);
  });

  verifies('session.not-for-foreign-pages', async () => {
    const platform = await environment.platform();
    const opened = await platform.anonymous.post('/session', { operator_key: platform.operatorKey });
    const cookie = String(opened.headers['set-cookie']).split(';')[0] ?? '';
    const browser = platform.anonymous.with({ cookie });
    for (const foreign of [
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      expect((await browser.get('/workspaces', foreign)).status, JSON.stringify(foreign)).toBe(401);
    }
    const own = { origin: platform.url, 'sec-fetch-site': 'same-origin' };
    expect((await browser.get('/workspaces', own)).status).toBe(200);
  });
});
