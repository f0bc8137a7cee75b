import { describe, expect, it } from 'vitest';
import { openPlatform } from '../../test/resources-of-test.ts';
import { ADMIN_TOKEN } from '../../test/running-platform.ts';

describe('the log', () => {
  it('has no error for what this platform does not offer, or for a peer that is away', async () => {
    const lines: { level: string; text: string }[] = [];
    const at = (level: string) => (fields: object, message: string) =>
      void lines.push({ level, text: `${message} ${JSON.stringify(fields)}` });
    const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
    const { call, create, platform } = await openPlatform({ logger });
    for (const extra of [
      { runtime: 'docker' },
      { external: false },
      { external: true, secrets: { A: 'b' } },
    ]) {
      const refused = await call('POST', '/workspaces', { body: { name: 'a', ...extra } });
      expect(refused).toMatchObject({ status: 501, body: { code: 'not_supported' } });
    }
    const { id } = await create();
    const answer = await call('GET', `/registry/discover/${id}`);
    expect(answer).toMatchObject({
      status: 503,
      body: { code: 'workspace_unavailable', status: 'awaiting_agent' },
    });
    await platform.close();
    const about = lines.filter(({ text }) => text.includes('workspace_unavailable'));
    expect(about.map(({ level }) => level)).toEqual(['debug']);
    expect(about[0]?.text).not.toContain(' at ');
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('headers of responses', () => {
  it('protect what a browser shows', async () => {
    const { call } = await openPlatform();
    const { headers } = await call('GET', '/health', { token: null });
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(headers['referrer-policy']).toBe('strict-origin-when-cross-origin');
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it('allow listed origins only', async () => {
    const { call } = await openPlatform({ server: { corsOrigins: ['http://localhost:3000'] } });
    const preflight = (origin: string) =>
      call('OPTIONS', '/workspaces', {
        token: null,
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    const listed = await preflight('http://localhost:3000');
    expect(listed.status).toBe(204);
    expect(listed.headers['access-control-allow-origin']).toBe('http://localhost:3000');
    const other = await preflight('https://evil.example.com');
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('mark the cookie of a session as secure when the platform is reached by https', async () => {
    const { call } = await openPlatform({ server: { publicUrl: 'https://platform.example.com' } });
    const { headers } = await call('POST', '/session', { body: { operator_key: ADMIN_TOKEN } });
    expect(String(headers['set-cookie'])).toContain('Secure');
  });
});

describe('a refused request', () => {
  it('is one whose credential is not exactly "Bearer <token>"', async () => {
    const { call } = await openPlatform();
    for (const authorization of [
      ADMIN_TOKEN,
      `bearer ${ADMIN_TOKEN}`,
      `Basic ${ADMIN_TOKEN}`,
      'Bearer ',
      'Bearer',
    ]) {
      const answer = await call('GET', '/workspaces', { token: null, headers: { authorization } });
      expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
      expect(answer.body.hint).toMatch(/operator key/);
      expect(answer.body.hint).not.toContain('omit Authorization');
    }
    expect((await call('GET', '/workspaces', { token: ` ${ADMIN_TOKEN} ` })).status).toBe(200);
  });

  it('tells only a caller on this machine in dev mode to omit its credential', async () => {
    const { call } = await openPlatform({ mode: 'dev' });
    const wrong = await call('GET', '/workspaces', { token: 'wrong' });
    expect(wrong).toMatchObject({
      status: 401,
      body: { hint: expect.stringContaining('omit Authorization') },
    });
    const headers = { 'x-forwarded-for': '1.2.3.4' };
    const tunnelled = await call('GET', '/workspaces', { token: 'wrong', headers });
    expect(tunnelled.body.hint).not.toContain('omit Authorization');
  });

  it('is one whose headers name different callers, also of an operator, or none', async () => {
    const { call, create } = await openPlatform();
    const { id, token } = await create();
    const state = async (by: string, headers: Record<string, string>) =>
      (await call('GET', `/workspaces/${id}/state`, { token: by, headers })).body.code;
    const both = { 'x-workspace-id': id, 'x-source-workspace-id': '11111111-2222-4333-8444-555555555555' };
    expect(await state(ADMIN_TOKEN, both)).toBe('caller_mismatch');
    for (const value of ['system:cron', '']) {
      expect(await state(token, { 'x-workspace-id': value })).toBe('caller_mismatch');
    }
    expect(await state(token, { 'x-workspace-id': id.toUpperCase() })).toBeUndefined();
  });

  it('names the methods that its path has', async () => {
    const { call } = await openPlatform();
    expect((await call('GET', '/workspaces/')).status).toBe(200);
    const { body } = await call('PUT', '/workspaces');
    expect(body).toMatchObject({ code: 'not_found', hint: expect.stringMatching(/GET.*POST|POST.*GET/) });
  });

  it('counts by address when its token is a guess, whatever it tries', async () => {
    const { call } = await openPlatform({ limits: { rateLimit: 3 } });
    const guess = (n: number) => call('GET', '/workspaces', { token: `guess-${n}` });
    const statuses = [];
    for (let n = 1; n <= 4; n += 1) statuses.push((await guess(n)).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect((await call('GET', '/nowhere', { token: null })).status).toBe(429);
  });
});
