import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform({ rateLimit: 10_000 });
});
afterAll(() => running.platform.close());

const works = async (id: string, token: string) =>
  (await running.call('GET', `/workspaces/${id}/state`, { token })).status === 200;

describe('tokens of a workspace', () => {
  it('can be rotated: mint, switch, revoke the old one', async () => {
    const { id, token: old } = await running.join();
    const minted = await running.call('POST', `/workspaces/${id}/tokens`, { token: old });
    expect(minted.status).toBe(201);
    const token = minted.body.auth_token;
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const listed = await running.call('GET', `/workspaces/${id}/tokens`, { token });
    expect(listed.body.count).toBe(2);
    const prefixes = listed.body.tokens.map((row: { prefix: string }) => row.prefix);
    expect(prefixes.sort()).toEqual([token.slice(0, 8), old.slice(0, 8)].sort());
    const oldRow = listed.body.tokens.find((row: { prefix: string }) => row.prefix === old.slice(0, 8));
    expect(oldRow.last_used_at).toEqual(expect.any(String));
    const revoked = await running.call('DELETE', `/workspaces/${id}/tokens/${oldRow.id}`, { token });
    expect(revoked.body).toEqual({ status: 'revoked' });
    expect([await works(id, old), await works(id, token)]).toEqual([false, true]);
    expect((await running.call('DELETE', `/workspaces/${id}/tokens/${oldRow.id}`, { token })).body.code).toBe(
      'token_not_found',
    );
  });

  it('end at once when all are revoked, and a register by the operator issues a new one', async () => {
    const { id, token } = await running.join();
    const revoked = await running.call('DELETE', `/workspaces/${id}/tokens`);
    expect(revoked.body).toEqual({ status: 'revoked', revoked_count: 1 });
    expect(await works(id, token)).toBe(false);
    const registered = await running.call('POST', '/registry/register', { body: { id } });
    expect(await works(id, registered.body.auth_token)).toBe(true);
  });

  it('are at most 50', async () => {
    const { id } = await running.create();
    for (let n = 1; n < 50; n += 1) {
      expect((await running.call('POST', `/admin/workspaces/${id}/tokens`)).status).toBe(201);
    }
    expect(await running.call('POST', `/workspaces/${id}/tokens`)).toMatchObject({
      status: 429,
      body: { code: 'token_limit' },
    });
    const page = await running.call('GET', `/workspaces/${id}/tokens?limit=20&offset=40`);
    expect(page.body.count).toBe(10);
  });

  it('are never stored', async () => {
    const { id, token } = await running.create();
    const listed = await running.call('GET', `/workspaces/${id}/tokens`);
    expect(JSON.stringify(listed.body)).not.toContain(token);
  });
});
