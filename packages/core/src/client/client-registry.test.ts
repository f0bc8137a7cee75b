import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { NEWER_TOKEN, PEER, SELF, TOKEN } from '../../test/agent-ids.ts';
import { stage } from '../../test/test-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';

const registered = {
  status: 'registered',
  id: SELF,
  workspace_id: SELF,
  delivery_mode: 'poll',
  org_id: null,
  expires_at: null,
};

describe('register', () => {
  it('a card that is updated replaces the registered one, also at the next registration; an agent that streams remains one', async () => {
    await using s = await stage([{ body: registered }, { body: { status: 'updated' } }]);
    const sent = (): unknown => Reflect.get(Object(s.server.last.body), 'agent_card');
    await s.client.updateCard({ name: 'second' });
    expect(sent()).toEqual({ name: 'second' });
    s.server.script({ body: registered });
    await s.client.register();
    expect(sent()).toEqual({ name: 'second' });
    await s.client.register({ agentCard: { name: 'second', capabilities: { streaming: true } } });
    s.server.script({ body: { status: 'updated' } });
    await s.client.updateCard({ name: 'third', capabilities: { x: 1 } });
    expect(sent()).toEqual({ name: 'third', capabilities: { x: 1, streaming: true } });
    await s.client.updateCard({ name: 'fourth', capabilities: { streaming: false } });
    expect(sent()).toEqual({ name: 'fourth', capabilities: { streaming: false } });
    expect(s.client.agentCard).toEqual({ name: 'fourth', capabilities: { streaming: false } });
  });

  it.each([
    ['of 20 000 characters', 'x'.repeat(20_000)],
    ['with a space', 'a b'],
    ['with a line end', 'a\r\nb'],
  ])('stores no token %s, and keeps the one that there is', async (_name, auth_token) => {
    await using s = await stage({ body: { ...registered, auth_token } });
    await expect(s.client.register()).rejects.toMatchObject({
      code: 'unexpected_response',
      message: expect.stringContaining('auth_token: A token must'),
    });
    expect(await s.store.load()).toBe(TOKEN);
    expect(await s.port.currentToken()).toBe(TOKEN);
  });

  it('does not take another field for the URL', async () => {
    const error = 'invalid request body: agent_card.url: must be a text, not a number';
    await using s = await stage({ status: 400, body: { error, field: 'agent_card.url' } });
    await expect(s.client.register()).rejects.toThrow(error);
    expect(s.server.requests).toHaveLength(1);
  });

  it('does not take the JSON of another server for a registration', async () => {
    await using s = await stage({ body: { hello: 'world' } });
    await expect(s.client.register()).rejects.toMatchObject({
      code: 'unexpected_response',
      hint: expect.stringContaining('platformUrl'),
    });
  });
});

describe('a token rotated on disk', () => {
  it('is not used instead of a configured one until that is refused', async () => {
    await using s = await stage([{ body: { status: 'ok' } }, { status: 401 }, { body: { status: 'ok' } }], {
      authToken: 'given-token',
    });
    await s.client.heartbeat();
    expect(s.server.last.headers.authorization).toBe('Bearer given-token');
    await s.client.heartbeat();
    expect(s.server.last.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });
});

describe('heartbeat', () => {
  it('replaces what the platform refuses in texts that may quote a message', async () => {
    await using s = await stage({ body: { status: 'ok' } });
    await s.client.heartbeat({ currentTask: 'read a\0b', sampleError: 'half \ud800' });
    expect(s.server.last.body).toMatchObject({ current_task: 'read a�b', sample_error: 'half �' });
    expect(s.server.contractProblems()).toEqual([]);
  });
});

describe('pollState and getWorkspace', () => {
  it('read a workspace, and a removed one on request only', async () => {
    const row = { id: SELF, name: 'n', status: 'removed', unknown_key: 1 };
    await using s = await stage({ body: row });
    await expect(s.client.getWorkspace()).rejects.toMatchObject({
      code: 'workspace_removed',
      workspaceId: SELF,
    });
    expect(await s.client.getWorkspace({ includeRemoved: true })).toMatchObject({
      id: SELF,
      status: 'removed',
      raw: row,
    });
    expect(s.server.last.query.get('include_removed')).toBe('true');
    s.server.script({
      status: 410,
      body: { error: 'workspace removed', id: SELF, removed_at: '2026-01-01T00:00:00Z' },
    });
    await expect(s.client.getWorkspace()).rejects.toMatchObject({ removedAt: '2026-01-01T00:00:00Z' });
    s.server.script({ body: '[]' });
    await expect(s.client.getWorkspace()).rejects.toMatchObject({ code: 'unexpected_response' });
  });
});

describe('peers', () => {
  it('without URL are null; 403 and gateway responses are errors', async () => {
    await using s = await stage({ body: { id: PEER, url: '' } });
    expect(await s.client.discoverPeer(PEER)).toBeNull();
    const proxy = `${s.client.platformUrl}/workspaces/${PEER}/a2a`;
    s.server.script({ body: { id: PEER, url: proxy, delivery_mode: 'poll' } });
    expect(await s.client.discoverPeer(PEER)).toBeNull();
    s.server.script({ status: 404, body: { error: 'not found' } });
    expect(await s.client.discoverPeer(PEER)).toBeNull();
    s.server.script({ status: 503, body: { error: 'workspace not available', status: 'offline' } });
    expect(await s.client.discoverPeer(PEER)).toBeNull();
    s.server.script({ status: 403, body: { error: 'not authorized' } });
    await expect(s.client.discoverPeer(PEER)).rejects.toMatchObject({ name: 'AccessDeniedError' });
    s.server.script({ status: 404 });
    await expect(s.client.discoverPeer(PEER)).rejects.toMatchObject({ code: 'routing_problem' });
  });

  it('ids are encoded in the path', async () => {
    await using s = await stage({ body: { id: 'x', url: '' } });
    await s.client.discoverPeer('a/../b?c#d');
    expect(s.server.last.path).toBe('/registry/discover/a%2F..%2Fb%3Fc%23d');
  });
});

describe('tokens', () => {
  const row = (id: string, token: string) => ({
    id,
    prefix: token.slice(0, 8),
    created_at: '2026-01-01T00:00:00Z',
    last_used_at: null,
  });

  it.each([
    ['is forbidden', { status: 403 }, 'access_denied'],
    ['is too large for the server', { status: 431 }, 'request_rejected'],
    ['gets no response that can be read', { body: [] }, 'unexpected_response'],
  ] as const)(
    'rotate: restores the old token and revokes the new one if it %s',
    async (_name, state, code) => {
      await using s = await stage();
      const tokens = `/workspaces/${SELF}/tokens`;
      s.server.routes.set(`GET ${tokens}`, {
        body: { tokens: [row('t-old', TOKEN), row('t-new', NEWER_TOKEN)], count: 2 },
      });
      s.server.routes.set(`POST ${tokens}`, {
        status: 201,
        body: { auth_token: NEWER_TOKEN, workspace_id: SELF },
      });
      s.server.routes.set(`GET /workspaces/${SELF}/state`, state);
      s.server.routes.set(`DELETE ${tokens}/t-new`, { body: { status: 'revoked' } });
      await expect(s.client.rotateToken()).rejects.toMatchObject({ code });
      expect(await s.store.load()).toBe(TOKEN);
      expect(await s.port.currentToken()).toBe(TOKEN);
      const { path, method, headers } = s.server.last;
      expect([method, path, headers.authorization]).toEqual(['DELETE', `${tokens}/t-new`, `Bearer ${TOKEN}`]);
    },
  );

  it.each([
    ['that is in use already', TOKEN, 'rotation_incomplete'],
    ['of 20 000 characters', 'x'.repeat(20_000), 'unexpected_response'],
    ['that begins like the old one', `${TOKEN.slice(0, 8)} and a space`, 'unexpected_response'],
  ])('rotate: revokes nothing after a token %s', async (_name, auth_token, code) => {
    await using s = await stage();
    const tokens = `/workspaces/${SELF}/tokens`;
    s.server.routes.set(`GET ${tokens}`, { body: { tokens: [row('t-old', TOKEN)], count: 1 } });
    s.server.routes.set(`POST ${tokens}`, { status: 201, body: { auth_token, workspace_id: SELF } });
    await expect(s.client.rotateToken()).rejects.toMatchObject({ code });
    expect(await s.store.load()).toBe(TOKEN);
    expect(await s.port.currentToken()).toBe(TOKEN);
    expect(s.server.requests.some(({ method }) => method === 'DELETE')).toBe(false);
  });
});

describe('planted secrets', () => {
  it('do not appear in logs, errors, stacks and inspect', async () => {
    const admin = 'planted-operator-key';
    const echo = { error: `no: Bearer ${TOKEN}`, auth_token: TOKEN, note: admin };
    await using s = await stage({ status: 503, body: echo }, { adminToken: admin, authToken: TOKEN });
    const errors: unknown[] = [];
    const calls = [
      () => s.client.register(),
      () => s.client.heartbeat(),
      () => s.client.callPeer(PEER, 'hi'),
      () => s.client.fetchInboundPage(),
      () => s.client.rotateToken(),
    ];
    for (const call of calls) await call().catch((error: unknown) => errors.push(error));
    s.server.script({ status: 401, body: echo });
    for (const call of calls) await call().catch((error: unknown) => errors.push(error));
    expect(errors).toHaveLength(10);
    const shown = [
      JSON.stringify(s.logger.lines),
      inspect(s.client, { depth: 9, showHidden: true }),
      JSON.stringify(s.client),
      ...errors.map((error) => `${inspect(error, { depth: 9 })} ${JSON.stringify(error)} ${String(error)}`),
      ...errors.map((error) => (MoleculeError.isInstance(error) ? error.stack : '')),
    ].join('\n');
    expect(s.logger.lines.length).toBeGreaterThan(0);
    expect(shown).not.toContain(TOKEN);
  });

  it('of any form are redacted when the platform returns them', async () => {
    await using s = await stage(
      { status: 400, body: { error: 'bad: open-sesame-12345', note: 'open-sesame-12345' } },
      { authToken: 'open-sesame-12345' },
    );
    const error: unknown = await s.client.heartbeat().catch((reason: unknown) => reason);
    expect(`${inspect(error)} ${JSON.stringify(error)}`).not.toContain('open-sesame-12345');
    expect(error).toMatchObject({ status: 400, details: { note: 'open-sesame-12345' } });
  });
});
