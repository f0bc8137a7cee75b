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
  it('in poll mode: sends both ids, the mode and no URL, and stores the token', async () => {
    await using s = await stage(
      { body: { ...registered, auth_token: ` ${TOKEN} ` } },
      { token: null, adminToken: 'operator-key-1' },
    );
    expect(await s.client.register()).toEqual({
      tokenIssued: true,
      deliveryMode: 'poll',
      orgId: null,
      issuer: null,
      expiresAt: null,
    });
    expect(s.server.last.body).toEqual({
      id: SELF,
      workspace_id: SELF,
      delivery_mode: 'poll',
      agent_card: { name: `remote-agent-${SELF.slice(0, 8)}` },
    });
    expect(s.server.last.headers.authorization).toBe('Bearer operator-key-1');
    expect(await s.store.load()).toBe(TOKEN);
    s.server.script({ body: { status: 'ok' } });
    await s.client.heartbeat();
    expect(s.server.last.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('in push mode: sends the reported URL, and prefers its own token to the admin token', async () => {
    const reportedUrl = 'https://agent.example/a2a';
    await using s = await stage({ body: registered }, { reportedUrl, adminToken: 'operator-key-1' });
    expect(await s.client.register()).toMatchObject({ tokenIssued: false });
    expect(s.server.last.body).toMatchObject({ url: reportedUrl, delivery_mode: 'push' });
    expect(s.server.last.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });

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

  it('reads the token of older platforms and accepts an empty body', async () => {
    await using s = await stage([
      { body: { auth_token: NEWER_TOKEN, workspace_id: SELF, expires_at: null } },
      { body: {} },
    ]);
    expect(await s.client.register()).toMatchObject({ tokenIssued: true, deliveryMode: null });
    expect(await s.client.register()).toMatchObject({ tokenIssued: false });
    expect(await s.store.load()).toBe(NEWER_TOKEN);
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
    expect(await s.client.currentToken()).toBe(TOKEN);
  });

  it('logs a warning if there is no token', async () => {
    await using s = await stage({ body: registered }, { token: null });
    await s.client.register();
    expect(s.logger.messages('warn')).toEqual([expect.stringContaining('issued no token')]);
  });

  it('keeps a refused token and has a hint', async () => {
    await using s = await stage({ status: 401, body: { error: 'invalid workspace auth token' } });
    await expect(s.client.register()).rejects.toMatchObject({
      code: 'unauthorized',
      hint: expect.stringContaining('kept'),
    });
    expect(await s.store.load()).toBe(TOKEN);
    expect(s.server.requests).toHaveLength(1);
  });

  it('sends the placeholder once if an older platform requires a URL', async () => {
    await using s = await stage([
      { status: 400, body: { error: 'invalid request body' } },
      { body: { status: 'registered' } },
    ]);
    await s.client.register();
    expect(s.server.last.body).toMatchObject({ url: 'remote://no-inbound', delivery_mode: 'poll' });
    s.server.script({ status: 400, body: { error: 'url is not allowed' } });
    await expect(s.client.register()).rejects.toMatchObject({
      status: 400,
      hint: expect.stringContaining('reportedUrl'),
    });
    expect(s.server.requests).toHaveLength(4);
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

  it('does not retry after other errors', async () => {
    await using s = await stage({ status: 400, body: { error: 'delivery_mode must be known' } });
    await expect(s.client.register()).rejects.toMatchObject({ code: 'request_rejected' });
    expect(s.server.requests).toHaveLength(1);
  });
});

describe('a token rotated on disk', () => {
  it('is found after a 401', async () => {
    await using s = await stage([{ status: 401 }, { body: { status: 'ok' } }]);
    await s.client.currentToken();
    await s.store.save(NEWER_TOKEN);
    await s.client.heartbeat();
    expect(s.server.last.headers.authorization).toBe(`Bearer ${NEWER_TOKEN}`);
  });

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
  it('sends every metric every time and remembers the last ones', async () => {
    await using s = await stage({
      body: {
        status: 'ok',
        workspace_status: 'paused',
        paused: true,
        deleted: false,
        pending: 2,
        server_time: 't',
      },
    });
    expect(await s.client.heartbeat({ activeTasks: 2, currentTask: 'x', errorRate: 0.5 })).toEqual({
      workspaceStatus: 'paused',
      paused: true,
      pending: 2,
      serverTime: 't',
    });
    await s.clock.sleep(61_500);
    await s.client.heartbeat({ activeTasks: 1, monthlySpendCents: 7, runtimeState: 'wedged' });
    expect(s.server.last.body).toEqual({
      workspace_id: SELF,
      current_task: 'x',
      active_tasks: 1,
      error_rate: 0.5,
      sample_error: '',
      uptime_seconds: 61,
      monthly_spend: 7,
      runtime_state: 'wedged',
    });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('replaces what the platform refuses in texts that may quote a message', async () => {
    await using s = await stage({ body: { status: 'ok' } });
    await s.client.heartbeat({ currentTask: 'read a\0b', sampleError: 'half \ud800' });
    expect(s.server.last.body).toMatchObject({ current_task: 'read a�b', sample_error: 'half �' });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('returns null for fields that an older platform does not send, and retries', async () => {
    await using s = await stage([
      { status: 429, headers: { 'retry-after': '1' } },
      { status: 503 },
      { body: { status: 'ok' } },
    ]);
    expect(await s.client.heartbeat()).toEqual({
      workspaceStatus: null,
      paused: null,
      pending: null,
      serverTime: null,
    });
    expect(s.clock.sleeps).toEqual([1000, 2000]);
  });

  it('throws WorkspaceRemovedError', async () => {
    await using s = await stage({
      status: 401,
      body: { error: 'removed', code: 'workspace_removed', deleted: true },
    });
    await expect(s.client.heartbeat()).rejects.toMatchObject({ code: 'workspace_removed' });
  });
});

describe('pollState and getWorkspace', () => {
  const state = { workspace_id: SELF, status: 'online', paused: false, deleted: false };

  it('return the state, and retry after 429', async () => {
    await using s = await stage([
      { status: 429, headers: { 'retry-after': '2' } },
      { body: state },
      { body: { ...state, status: 'paused', paused: true } },
    ]);
    expect(await s.client.pollState()).toEqual({
      workspaceId: SELF,
      status: 'online',
      paused: false,
      deleted: false,
      shouldStop: false,
    });
    expect(s.clock.sleeps).toEqual([2000]);
    expect(await s.client.pollState()).toMatchObject({ paused: true, shouldStop: true });
  });

  it.each([
    [{ status: 404, body: { workspace_id: SELF, status: 'removed', deleted: true } }],
    [{ status: 410, body: { error: 'gone' } }],
    [{ status: 401, body: { error: 'x', code: 'workspace_removed' } }],
  ])('%j means deleted', async (response) => {
    await using s = await stage(response);
    expect(await s.client.pollState()).toMatchObject({ status: 'removed', deleted: true, shouldStop: true });
  });

  it('a 404 without an error code is a routing problem, a truthy text is not a boolean', async () => {
    await using s = await stage({ status: 404 });
    await expect(s.client.pollState()).rejects.toMatchObject({ code: 'routing_problem' });
    s.server.script({ body: { ...state, paused: 'false' } });
    await expect(s.client.pollState()).rejects.toMatchObject({ code: 'unexpected_response' });
  });

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
  it('are listed tolerantly and cached', async () => {
    await using s = await stage({
      body: [
        { id: PEER, name: 'ops', role: null, url: 'http://ops' },
        null,
        { name: 'no id' },
        { id: 'polls', url: '' },
      ],
    });
    expect((await s.client.getPeers()).map(({ id, role, tier }) => [id, role, tier])).toEqual([
      [PEER, '', 2],
      ['polls', '', 2],
    ]);
    expect(await s.client.discoverPeer(PEER.toUpperCase())).toBe('http://ops');
    expect(s.server.requests).toHaveLength(1);
    s.server.script({ body: {} });
    expect(await s.client.getPeers()).toEqual([]);
  });

  it('are discovered once until the cache expires', async () => {
    await using s = await stage({ body: { id: PEER, url: 'https://ops.example/a2a', name: 'ops' } });
    expect(await s.client.discoverPeer(PEER)).toBe('https://ops.example/a2a');
    expect(await s.client.discoverPeer(PEER)).toBe('https://ops.example/a2a');
    expect(s.server.requests).toHaveLength(1);
    s.client.invalidatePeerUrl(PEER);
    await s.client.discoverPeer(PEER);
    await s.clock.sleep(300_001);
    await s.client.discoverPeer(PEER);
    expect(s.server.requests).toHaveLength(3);
  });

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

  it('rotate: create, store, verify, and only then revoke', async () => {
    await using s = await stage();
    const tokens = `/workspaces/${SELF}/tokens`;
    s.server.routes.set(`GET ${tokens}`, {
      body: { tokens: [row('t-old', TOKEN), row('t-other', 'zzzzzzzzz')], count: 2 },
    });
    s.server.routes.set(`POST ${tokens}`, {
      status: 201,
      body: { auth_token: NEWER_TOKEN, workspace_id: SELF, message: 'm' },
    });
    s.server.routes.set(`GET /workspaces/${SELF}/state`, {
      body: { workspace_id: SELF, status: 'online', paused: false, deleted: false },
    });
    s.server.routes.set(`DELETE ${tokens}/t-old`, { body: { status: 'revoked' } });
    s.server.routes.set('POST /registry/heartbeat', { status: 401 });
    expect(await s.client.rotateToken()).toEqual({ revokedTokenId: 't-old' });
    expect(s.server.requests.map(({ method, headers }) => [method, headers.authorization])).toEqual([
      ['GET', `Bearer ${TOKEN}`],
      ['POST', `Bearer ${TOKEN}`],
      ['GET', `Bearer ${NEWER_TOKEN}`],
      ['DELETE', `Bearer ${NEWER_TOKEN}`],
      ['POST', `Bearer ${TOKEN}`],
    ]);
    expect(await s.store.load()).toBe(NEWER_TOKEN);
    expect(await s.client.listTokens({ limit: 5 })).toEqual([
      { id: 't-old', prefix: TOKEN.slice(0, 8), createdAt: '2026-01-01T00:00:00Z', lastUsedAt: null },
      expect.objectContaining({ id: 't-other' }),
    ]);
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('rotate: restores the old token if the new one is refused', async () => {
    await using s = await stage();
    const tokens = `/workspaces/${SELF}/tokens`;
    s.server.routes.set(`GET ${tokens}`, { body: { tokens: [row('t-old', TOKEN)], count: 1 } });
    s.server.routes.set(`POST ${tokens}`, {
      status: 201,
      body: { auth_token: NEWER_TOKEN, workspace_id: SELF },
    });
    s.server.routes.set(`GET /workspaces/${SELF}/state`, { status: 401 });
    await expect(s.client.rotateToken()).rejects.toMatchObject({ code: 'unauthorized' });
    expect(await s.store.load()).toBe(TOKEN);
    expect(s.server.requests.some(({ method }) => method === 'DELETE')).toBe(false);
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
      expect(await s.client.currentToken()).toBe(TOKEN);
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
    expect(await s.client.currentToken()).toBe(TOKEN);
    expect(s.server.requests.some(({ method }) => method === 'DELETE')).toBe(false);
  });

  it('rotate: fails without a token', async () => {
    await using s = await stage([], { token: null });
    await expect(s.client.rotateToken()).rejects.toMatchObject({ code: 'unauthorized' });
    expect(s.server.requests).toEqual([]);
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
