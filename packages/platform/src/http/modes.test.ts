import { afterEach, describe, expect, it } from 'vitest';
import { drive, type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { createPlatform, type PlatformOptions } from '../index.ts';

const opened: RunningPlatform[] = [];
afterEach(async () => {
  for (const { platform } of opened.splice(0)) await platform.close();
});

async function start(options: PlatformOptions): Promise<RunningPlatform> {
  const running = await startPlatform(options);
  opened.push(running);
  return running;
}

describe('dev mode', () => {
  it('needs no credential on this machine, and refuses a wrong one', async () => {
    const { call } = await start({ mode: 'dev' });
    expect((await call('GET', '/workspaces', { token: null })).status).toBe(200);
    const wrong = await call('GET', '/workspaces', { token: 'wrong' });
    expect(wrong).toMatchObject({
      status: 401,
      body: { hint: expect.stringContaining('omit Authorization') },
    });
    const tunnelled = { token: null, headers: { 'x-forwarded-for': '1.2.3.4' } };
    expect((await call('GET', '/workspaces', tunnelled)).status).toBe(401);
    const both = await call('GET', '/workspaces', { ...tunnelled, token: 'wrong' });
    expect(both.body.hint).not.toContain('omit Authorization');
    const rebound = { token: null, headers: { host: 'evil.example.com' } };
    expect((await call('GET', '/workspaces', rebound)).status).toBe(401);
  });

  it('has no rate limit', async () => {
    const { call } = await start({ mode: 'dev' });
    expect((await call('GET', '/workspaces')).headers['x-ratelimit-limit']).toBeUndefined();
  });
});

describe('the rate limit', () => {
  it('counts each workspace separately', async () => {
    const { call, create } = await start({ rateLimit: 5 });
    const busy = await create();
    const calm = await create();
    const state = ({ id, token }: typeof busy) => call('GET', `/workspaces/${id}/state`, { token });
    for (let i = 0; i < 5; i += 1) {
      const { status, headers } = await state(busy);
      expect([status, headers['x-ratelimit-remaining']]).toEqual([200, String(4 - i)]);
    }
    const limited = await state(busy);
    expect(limited).toMatchObject({ status: 429, body: { code: 'rate_limited', scope: 'workspace' } });
    expect(Number(limited.headers['retry-after'])).toBe(limited.body.retry_after);
    expect((await state(calm)).status).toBe(200);
    expect((await call('GET', '/workspaces', {})).headers['x-ratelimit-remaining']).toBe('2');
  });

  it('counts guesses by address, whatever token they try', async () => {
    const { call } = await start({ rateLimit: 3 });
    const guess = (n: number) => call('GET', '/workspaces', { token: `guess-${n}` });
    expect([await guess(1), await guess(2), await guess(3)].map(({ status }) => status)).toEqual([
      401, 401, 401,
    ]);
    expect((await guess(4)).status).toBe(429);
    expect((await call('GET', '/nowhere', { token: null })).status).toBe(429);
  });
});

describe('an organisation id', () => {
  it('is required in every request but the probes', async () => {
    const { call } = await start({ orgId: 'org-1' });
    expect((await call('GET', '/health', { token: null })).status).toBe(200);
    for (const headers of [{}, { 'x-molecule-org-id': 'org-2' }]) {
      expect(await call('GET', '/workspaces', { headers })).toMatchObject({
        status: 404,
        body: { code: 'org_mismatch' },
      });
    }
    expect((await call('GET', '/workspaces', { headers: { 'x-molecule-org-id': 'org-1' } })).status).toBe(
      200,
    );
  });
});

describe('CORS', () => {
  it('allows listed origins only', async () => {
    const { call } = await start({ corsOrigins: ['http://localhost:3000'] });
    const preflight = (origin: string) =>
      call('OPTIONS', '/workspaces', {
        token: null,
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    const listed = await preflight('http://localhost:3000');
    expect(listed.status).toBe(204);
    expect(listed.headers['access-control-allow-origin']).toBe('http://localhost:3000');
    expect(
      (await preflight('https://evil.example.com')).headers['access-control-allow-origin'],
    ).toBeUndefined();
  });
});

describe('sessions', () => {
  const cookieOf = (setCookie: string | string[] | undefined) => String(setCookie).split(';')[0] ?? '';

  it('exchange the operator key for a strict cookie, until signed out', async () => {
    const { call, platform } = await start({});
    expect((await call('POST', '/session', { token: null, body: { operator_key: 'wrong' } })).status).toBe(
      401,
    );
    const signedIn = await call('POST', '/session', {
      token: null,
      body: { operator_key: platform.operatorKey },
    });
    expect(signedIn.status).toBe(200);
    expect(String(signedIn.headers['set-cookie'])).toMatch(/HttpOnly.*SameSite=Strict/);
    const cookie = cookieOf(signedIn.headers['set-cookie']);
    const list = (headers: Record<string, string>) => call('GET', '/workspaces', { token: null, headers });
    expect((await list({ cookie })).status).toBe(200);
    expect((await list({ cookie, origin: platform.url, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect((await list({ cookie, origin: 'http://localhost:3000' })).status).toBe(401);
    expect((await list({ cookie, 'sec-fetch-site': 'same-site' })).status).toBe(401);
    expect((await list({ cookie: `${cookie}x` })).status).toBe(401);
    expect((await call('DELETE', '/session', { token: null, headers: { cookie } })).status).toBe(200);
    expect((await list({ cookie })).status).toBe(401);
  });

  it('are marked secure when the platform is reached by https', async () => {
    const running = drive(
      await createPlatform({
        mode: 'production',
        memory: true,
        port: 0,
        adminToken: 'operator-key-123',
        secretsEncryptionKey: 'k'.repeat(32),
        publicUrl: 'https://platform.example.com',
      }),
    );
    opened.push(running);
    const { headers } = await running.call('POST', '/session', {
      body: { operator_key: 'operator-key-123' },
    });
    expect(String(headers['set-cookie'])).toContain('Secure');
  });
});
