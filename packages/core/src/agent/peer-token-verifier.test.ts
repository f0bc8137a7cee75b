import { createHmac } from 'node:crypto';
import type { Jwks } from '@molecule-ai/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { ISSUER, TestSigner } from '../../test/peer-tokens.ts';
import { PeerTokenVerifier } from './peer-token-verifier.ts';

let clock: ManualClock;
let signer: TestSigner;
let fetches: number;
let fetchKeys: () => Promise<Jwks>;
let changes: number;
let skews: (number | null)[];
let verifier: PeerTokenVerifier;

beforeEach(async () => {
  clock = new ManualClock();
  signer = await TestSigner.start(clock);
  fetches = 0;
  changes = 0;
  skews = [];
  fetchKeys = () => signer.jwks();
  verifier = new PeerTokenVerifier({
    client: {
      workspaceId: SELF,
      clock,
      fetchSigningKeys: () => {
        fetches += 1;
        return fetchKeys();
      },
    },
    onIssuerChanged: () => {
      changes += 1;
    },
    onClockSkew: (skewMs) => skews.push(skewMs),
  });
  verifier.issuer = ISSUER;
});

const seconds = (ms: number): number => Math.floor(ms / 1_000);
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

async function statusOf(token: string): Promise<number | string> {
  const access = await verifier.verify(token);
  return access.kind === 'refused' ? access.refusal.status : access.caller.use;
}

describe('a token of the platform', () => {
  it('names the use and the sender', async () => {
    expect(await verifier.verify(await signer.token({ jti: 'one' }))).toEqual({
      kind: 'granted',
      caller: { use: 'push', subject: PEER },
      tokenId: 'one',
    });
    const person = await verifier.verify(await signer.token({ sub: 'canvas' }));
    expect(person).toMatchObject({ caller: { use: 'push', subject: 'canvas' } });
    const direct = await verifier.verify(await signer.token({ use: 'direct', sub: PEER.toUpperCase() }));
    expect(direct).toMatchObject({ caller: { use: 'direct', subject: PEER } });
  });

  it('is accepted within a minute of its times', async () => {
    const now = seconds(clock.now());
    expect(await statusOf(await signer.token({ exp: now - 59 }))).toBe('push');
    expect(await statusOf(await signer.token({ iat: now + 59, exp: now + 300 }))).toBe('push');
  });

  it('is verified once, and no longer accepted when it has expired', async () => {
    const token = await signer.token({ use: 'direct' });
    await verifier.verify(token);
    fetchKeys = () => Promise.reject(new Error('No.'));
    await clock.advance(359_000);
    expect(await statusOf(token)).toBe('direct');
    await clock.advance(2_000);
    expect(await statusOf(token)).toBe(401);
  });
});

describe('a token is refused', () => {
  it.each([
    ['for another audience', { aud: PEER }],
    ['of another issuer', { iss: 'https://elsewhere.test', use: 'direct' }],
    ['of no issuer', { iss: undefined }],
    ['for another use', { use: 'admin' }],
    ['of a peer that calls itself a person', { use: 'direct', sub: 'canvas' }],
    ['of nobody', { sub: 'root' }],
    ['without an id', { jti: '' }],
    [
      'of a peer that has expired',
      { use: 'direct', iat: seconds(Date.UTC(2026, 0, 1)) - 361, exp: seconds(Date.UTC(2026, 0, 1)) - 61 },
    ],
    ['that ends before it begins', { exp: seconds(Date.UTC(2026, 0, 1)) - 61 }],
    [
      'of a peer and of the future',
      { use: 'direct', iat: seconds(Date.UTC(2026, 0, 1)) + 120, exp: seconds(Date.UTC(2026, 0, 1)) + 400 },
    ],
    ['without an end', { exp: undefined }],
  ])('%s', async (_name, claims) => {
    const token = await signer.token(claims as never);
    const access = await verifier.verify(token);
    expect(access).toMatchObject({ kind: 'refused', refusal: { status: 401, code: 'unauthorized' } });
    const [, payload = ''] = token.split('.');
    expect(JSON.stringify(access)).not.toContain(payload);
  });

  it('with another algorithm, a foreign key or a changed content', async () => {
    const good = await signer.token();
    const [header = '', payload = '', signature = ''] = good.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const [key] = (await signer.jwks()).keys;
    const none = `${encode({ alg: 'none', kid })}.${payload}.`;
    const unsigned = `${encode({ alg: 'HS256', kid })}.${payload}`;
    const mac = createHmac('sha256', Buffer.from(key?.x ?? '', 'base64url'))
      .update(unsigned)
      .digest('base64url');
    const foreign = await (await TestSigner.start(clock)).token({}, { kid });
    const changed = `${header}.${encode({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: 'canvas' })}.${signature}`;
    for (const token of [
      none,
      `${unsigned}.${mac}`,
      foreign,
      changed,
      'x',
      '',
      `${good}x`,
      'x'.repeat(5_000),
    ]) {
      expect(await statusOf(token)).toBe(401);
    }
    expect(await statusOf(good)).toBe('push');
  });

  it('with 503 before the agent is registered, whatever it is', async () => {
    verifier.issuer = undefined;
    for (const token of [await signer.token(), 'x']) {
      expect(await verifier.verify(token)).toMatchObject({
        refusal: { status: 503, code: 'not_accepting', retryAfterSeconds: 1 },
      });
    }
    expect(fetches).toBe(0);
    verifier.issuer = ISSUER;
    expect(await statusOf(await signer.token())).toBe('push');
  });

  it('on a platform that signs none', async () => {
    verifier.issuer = null;
    const access = await verifier.verify(await signer.token());
    expect(access).toMatchObject({
      refusal: { status: 401, hint: expect.stringContaining('shared-secret') },
    });
    expect(fetches).toBe(0);
  });
});

describe('a push that is not valid by the clock of this machine', () => {
  it('of somebody else says nothing about the clock', async () => {
    clock.jump(3_600_000);
    const now = { iat: seconds(clock.now()) - 3_600, exp: seconds(clock.now()) - 3_300 };
    const { kid } = JSON.parse(
      Buffer.from((await signer.token()).split('.')[0] ?? '', 'base64url').toString(),
    );
    const foreign = await (await TestSigner.start(clock)).token(now, { kid });
    const elsewhere = { ...now, iss: 'https://elsewhere.test' };
    for (const token of [foreign, await signer.token({ ...now, aud: PEER }), await signer.token(elsewhere)]) {
      expect(await statusOf(token)).toBe(401);
    }
    expect([skews, changes]).toEqual([[], 0]);
  });
});

describe('a token of another issuer', () => {
  const other = { iss: 'https://elsewhere.test' };

  it('is refused when a peer sends it, which then gets a new one', async () => {
    expect(await statusOf(await signer.token({ ...other, use: 'direct' }))).toBe(401);
    expect(changes).toBe(0);
  });

  it('asks for nothing when it is not for this agent, or signed by somebody else', async () => {
    const { kid } = JSON.parse(
      Buffer.from((await signer.token()).split('.')[0] ?? '', 'base64url').toString(),
    );
    const foreign = await (await TestSigner.start(clock)).token(other, { kid });
    for (const token of [await signer.token({ ...other, aud: PEER }), foreign]) {
      expect(await statusOf(token)).toBe(401);
    }
    expect(changes).toBe(0);
  });
});

describe('the keys', () => {
  it('are read again for an unknown one at most every 30 s, and every five minutes', async () => {
    await verifier.verify(await signer.token());
    const forged = (await TestSigner.start(clock)).token({ iat: seconds(clock.now()) - 5 });
    for (let count = 0; count < 5; count += 1) expect(await statusOf(await forged)).toBe(401);
    expect(fetches).toBe(1);
    await clock.advance(30_000);
    expect(await statusOf(await forged)).toBe(401);
    expect(await statusOf(await forged)).toBe(401);
    expect(fetches).toBe(2);
    await clock.advance(300_000);
    await verifier.verify(await signer.token());
    expect(fetches).toBe(3);
  });

  it('are kept while the platform cannot be reached', async () => {
    await verifier.verify(await signer.token());
    fetchKeys = () => Promise.reject(new Error('No.'));
    await clock.advance(600_000);
    expect(await statusOf(await signer.token())).toBe('push');
    await clock.advance(0);
    expect(await statusOf(await signer.token())).toBe('push');
  });

  it('of other kinds are ignored', async () => {
    const [key] = (await signer.jwks()).keys;
    fetchKeys = async () =>
      ({ keys: [{ kty: 'RSA', kid: 'a' }, { kty: 'OKP', crv: 'Ed25519', x: '!', kid: 'b' }, key] }) as never;
    expect(await statusOf(await signer.token())).toBe('push');
  });
});
