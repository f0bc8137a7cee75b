import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { createMember, heartbeat, type Member, onboard } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

async function mint(member: Member): Promise<string> {
  const answer = await member.caller.post(`/workspaces/${member.id}/tokens`);
  expect(answer).toMatchObject({
    status: 201,
    body: { workspace_id: member.id, message: expect.any(String) },
  });
  return textAt(answer.body, 'auth_token');
}

async function listTokens(platform: RunningPlatform, member: Member, query = '') {
  const answer = await platform.operator.get(`/workspaces/${member.id}/tokens${query}`);
  expect(answer.status).toBe(200);
  return answer.body as {
    tokens: { id: string; prefix: string; last_used_at: string | null }[];
    count: number;
  };
}

onEachDatabase('tokens', (environment) => {
  verifies('tokens.shape', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const tokens = [member.token, await mint(member), await mint(member)];
    for (const token of tokens) expect(token).toMatch(TOKEN);
    expect(new Set(tokens).size).toBe(3);
  });

  verifies('tokens.list-shows-prefixes', 'shown once', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const answer = await member.caller.get(`/workspaces/${member.id}/tokens`);
    expect(answer).toMatchObject({
      status: 200,
      body: {
        count: 1,
        tokens: [{ prefix: member.token.slice(0, 8), created_at: expect.any(String) }],
      },
    });
    expect(answer.text).not.toContain(member.token);
    const read = await platform.operator.get(`/workspaces/${member.id}`);
    expect(read.text).not.toContain(member.token.slice(0, 8));
  });

  verifies('tokens.until-revoked', 'rotation', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const [old] = (await listTokens(platform, member)).tokens;
    const renewed: Member = { ...member, caller: platform.as(await mint(member)) };
    expect((await heartbeat(renewed)).status).toBe(200);
    const revoked = await renewed.caller.delete(`/workspaces/${member.id}/tokens/${old?.id}`);
    expect(revoked).toMatchObject({ status: 200, body: { status: 'revoked' } });
    expect((await heartbeat(member)).status).toBe(401);
    expect((await heartbeat(renewed)).status).toBe(200);
  });

  verifies('tokens.until-revoked', 'revoke all', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const second: Member = { ...member, caller: platform.as(await mint(member)) };
    const answer = await platform.operator.delete(`/workspaces/${member.id}/tokens`);
    expect(answer).toMatchObject({ status: 200, body: { status: 'revoked', revoked_count: 2 } });
    for (const holder of [member, second]) expect((await heartbeat(holder)).status).toBe(401);
    expect(await listTokens(platform, member)).toEqual({ tokens: [], count: 0 });
  });

  verifies('tokens.fifty-at-most', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    for (let live = 1; live < 50; live += 1) await mint(member);
    expect(await member.caller.post(`/workspaces/${member.id}/tokens`)).toMatchObject({
      status: 429,
      body: { code: 'token_limit' },
    });
    const [newest] = (await listTokens(platform, member)).tokens;
    await member.caller.delete(`/workspaces/${member.id}/tokens/${newest?.id}`);
    expect(await mint(member)).toMatch(TOKEN);
  });

  verifies('tokens.unknown-is-404', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const other = await onboard(platform);
    const [foreign] = (await listTokens(platform, other)).tokens;
    for (const id of [randomUUID(), foreign?.id]) {
      const answer = await member.caller.delete(`/workspaces/${member.id}/tokens/${id}`);
      expect(answer).toMatchObject({ status: 404, body: { code: 'token_not_found' } });
    }
    expect((await heartbeat(other)).status).toBe(200);
  });

  verifies('tokens.list-shows-prefixes', 'listed newest first', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await createMember(platform);
    const prefixes = [member.token.slice(0, 8)];
    for (let count = 0; count < 3; count += 1) {
      await platform.clock.advance(1_000);
      const answer = await platform.operator.post(`/workspaces/${member.id}/tokens`);
      prefixes.unshift(textAt(answer.body, 'auth_token').slice(0, 8));
    }
    const whole = await listTokens(platform, member);
    expect(whole.tokens.map(({ prefix }) => prefix)).toEqual(prefixes);
    const page = await listTokens(platform, member, '?limit=2&offset=1');
    expect(page.tokens.map(({ prefix }) => prefix)).toEqual(prefixes.slice(1, 3));
    expect(page.count).toBe(2);
  });
});

onEachDatabase('tokens on disk', { onDisk: true }, (environment) => {
  verifies('tokens.only-a-hash-is-stored', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const folder = platform.dataDir ?? '';
    const stored = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
    expect(stored.some((bytes) => bytes.includes(member.id))).toBe(true);
    for (const secret of [member.token, platform.operatorKey]) {
      expect(stored.filter((bytes) => bytes.includes(secret))).toHaveLength(0);
    }
  });

  verifies('tokens.until-revoked', 'survive a restart', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await platform.restart();
    expect((await heartbeat(member)).status).toBe(200);
    expect(valueAt((await listTokens(platform, member)).tokens, 0, 'prefix')).toBe(member.token.slice(0, 8));
  });
});
