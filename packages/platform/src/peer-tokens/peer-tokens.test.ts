import type { Jwks } from '@molecule-ai/protocol';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { ReadCommitted } from '../../test/read-committed.ts';
import { openFolder } from '../../test/resources-of-test.ts';
import { PlatformDatabase } from '../database/platform-database.ts';
import { openSqliteDialect } from '../database/sqlite-dialect.ts';
import { resolveSettings } from '../options/resolve-settings.ts';
import { SIGNS_FOR_MS } from './key-schedule.rules.ts';
import { PeerTokensService } from './peer-tokens.service.ts';

const PUBLIC_URL = 'https://molecule.example.com';
const [A, B] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];

async function openDatabase(path = ':memory:'): Promise<PlatformDatabase> {
  const database = await PlatformDatabase.open(await openSqliteDialect({ path, synchronous: 'normal' }));
  onTestFinished(() => database.close());
  return database;
}

/** The service as a start of the platform makes it. */
function startWith(
  database: PlatformDatabase,
  {
    clock = new ManualClock(),
    publicUrl = PUBLIC_URL as string | null,
    key = 'k'.repeat(32),
    maxTokens = 10_000,
  } = {},
) {
  const warnings: string[] = [];
  const warn = (_fields: object, text: string) => void warnings.push(text);
  const logger = { debug: () => {}, info: () => {}, error: () => {}, warn };
  const security = { operatorKey: 'an-admin-token-for-this', secretsEncryptionKey: key };
  const settings = resolveSettings({ server: { publicUrl: publicUrl ?? undefined }, security }, {});
  return { clock, warnings, tokens: new PeerTokensService({ clock, database, logger, settings, maxTokens }) };
}

async function verify(token: string, keys: Jwks, at: number) {
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys as JSONWebKeySet), {
    algorithms: ['EdDSA'],
    issuer: PUBLIC_URL,
    audience: B,
    clockTolerance: 60,
    currentDate: new Date(at),
  });
  return payload;
}

it('one token is used for four of its five minutes, by all who ask at the same time', async () => {
  const { clock, tokens } = startWith(await openDatabase());
  const ask = async () => (await tokens.forPush(A, B)).jti;
  const first = new Set(await Promise.all(Array.from({ length: 20 }, ask)));
  expect(first.size).toBe(1);
  clock.advance(239_000);
  expect(first).toContain(await ask());
  clock.advance(1_000);
  const second = new Set(await Promise.all(Array.from({ length: 20 }, ask)));
  expect(second.size).toBe(1);
  expect(second).not.toEqual(first);
  clock.jumpWallClock(-3_600_000);
  expect(second).not.toContain(await ask());
  expect((await tokens.forProbe(B)).jti).not.toBe((await tokens.forProbe(B)).jti);
});

it('keeps a limited number of tokens, the latest', async () => {
  const { tokens } = startWith(await openDatabase(), { maxTokens: 10 });
  const kept = (index: number) => tokens.forPush(null, `target-${index}`);
  const first = await kept(0);
  await Promise.all(Array.from({ length: 10 }, (_value, index) => kept(index + 1)));
  expect((await kept(1)).jti).toBe((await kept(1)).jti);
  expect((await kept(0)).jti).not.toBe(first.jti);
});

it('two processes with one database use the same keys and the same issuer', async () => {
  const path = `${openFolder()}/platform.db`;
  const clock = new ManualClock();
  const [one, two] = [
    startWith(await openDatabase(path), { clock, publicUrl: null }),
    startWith(await openDatabase(path), { clock, publicUrl: null }),
  ];
  expect(await two.tokens.issuer()).toBe(await one.tokens.issuer());
  for (let day = 0; day < 3; day += 1) {
    expect(await two.tokens.jwks()).toEqual(await one.tokens.jwks());
    clock.advance(SIGNS_FOR_MS);
  }
});

it('a key that cannot be read is replaced at once, with one warning, and verifies what it signed', async () => {
  const database = await openDatabase();
  const clock = new ManualClock();
  const old = await startWith(database, { clock }).tokens.forPush(A, B);
  const { tokens, warnings } = startWith(database, { clock, key: 'another-key-'.padEnd(32, 'x') });
  await tokens.checkKeys();
  expect(warnings).toEqual([expect.stringContaining('restart with its former value')]);
  const fresh = await tokens.forPush(A, B);
  const keys = await tokens.jwks();
  expect(keys.keys).toHaveLength(2);
  for (const { token } of [old, fresh]) await verify(token, keys, clock.now());
  expect(warnings).toEqual([expect.stringContaining('SECRETS_ENCRYPTION_KEY')]);
});

it.each(['', 'null', '{', '{"kid":"k","x":"AA","sealed":"v1.AA"}', '{"kid":1}'])(
  'the damaged row %j is replaced and not published',
  async (value) => {
    const database = await openDatabase();
    await startWith(database).tokens.jwks();
    await database.query.updateTable('platform_meta').set({ value }).execute();
    const { clock, tokens, warnings } = startWith(database);
    const { token } = await tokens.forPush(A, B);
    const { keys } = await tokens.jwks();
    expect(keys).toHaveLength(1);
    await verify(token, { keys }, clock.now());
    expect(warnings).toHaveLength(1);
  },
);

it('without a public URL pushes are signed, and one warning says why there are no direct calls', async () => {
  const { clock, tokens, warnings } = startWith(await openDatabase(), { publicUrl: null });
  const { token } = await tokens.forPush(A, B);
  const keys = createLocalJWKSet((await tokens.jwks()) as JSONWebKeySet);
  const issuer = await tokens.issuer();
  expect(issuer).toMatch(/^urn:molecule:[0-9a-f-]{36}$/);
  await jwtVerify(token, keys, { issuer, audience: B, currentDate: new Date(clock.now()) });
  expect(await tokens.forDirectCall(A, B)).toBeUndefined();
  expect(await tokens.forDirectCall(B, A)).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining('EXTERNAL_PLATFORM_URL')]);
});

it('an unavailable database fails what needs a key, and the next one works again', async () => {
  const real = await openDatabase();
  let isAway = true;
  const transaction: PlatformDatabase['transaction'] = (work) =>
    isAway ? Promise.reject(new Error('away')) : real.transaction(work);
  const { tokens } = startWith({ transaction } as PlatformDatabase, { publicUrl: null });
  await expect(tokens.forPush(A, B)).rejects.toThrow('away');
  await expect(tokens.jwks()).rejects.toThrow('away');
  isAway = false;
  expect((await tokens.forPush(A, B)).token).not.toBe('');
  expect((await tokens.jwks()).keys).toHaveLength(1);
});

it('the order of keys does not depend on how the database orders texts', async () => {
  const model = new ReadCommitted();
  model.around = (sql, run) => {
    const { rows, ...result } = run();
    return { ...result, rows: sql.includes('from "platform_meta"') ? rows.toReversed() : rows };
  };
  const database = await PlatformDatabase.open(model.dialect);
  onTestFinished(() => database.close());
  const { clock, tokens } = startWith(database);
  const kids = new Set<unknown>();
  for (let day = 0; day < 4; day += 1) {
    kids.add(decodeProtectedHeader((await tokens.forPush(A, B)).token).kid);
    clock.advance(SIGNS_FOR_MS);
  }
  expect(kids.size).toBe(3);
});
