import { createPublicKey } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { type PEER_TOKEN_USES, PeerTokenClaims } from '@molecule-ai/protocol';
import { type AgentRequest, answering } from '@molecule-tests/harness';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  generateKeyPair,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { expect } from 'vitest';
import { textAt, trackCall, valueAt } from './harness/http.ts';
import { type Member, onboard, send, waitForRow } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const PUBLIC_URL = 'https://molecule.example.com';
const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const DIRECT = { ...LOOPBACK, server: { publicUrl: PUBLIC_URL } };

async function keysOf(platform: RunningPlatform): Promise<JSONWebKeySet> {
  return (await platform.anonymous.get('/.well-known/jwks.json')).body as JSONWebKeySet;
}

interface Expected {
  readonly audience: string;
  readonly issuer?: string;
  readonly use?: (typeof PEER_TOKEN_USES)[number];
  /** Milliseconds since the epoch. */
  readonly at?: number;
}

/** Verifies a token as an agent does: with the keys of the platform and nothing else. */
async function verifyToken(
  token: string,
  keys: JSONWebKeySet,
  { audience, issuer = PUBLIC_URL, use, at = Date.now() }: Expected,
): Promise<JWTPayload> {
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
    algorithms: ['EdDSA'],
    audience,
    issuer,
    clockTolerance: 60,
    maxTokenAge: 300,
    currentDate: new Date(at),
    requiredClaims: ['sub', 'iat', 'exp', 'jti', 'use'],
  });
  if (use !== undefined && payload.use !== use) throw new Error(`a token for ${payload.use}`);
  return payload;
}

const isRefused = (token: string, keys: JSONWebKeySet, expected: Expected) =>
  verifyToken(token, keys, expected).then(
    () => false,
    () => true,
  );

const bearerOf = ({ headers }: AgentRequest) => headers.authorization?.replace(/^Bearer /, '') ?? '';
const discover = (from: Member, id: string) => from.caller.get(`/registry/discover/${id}`);

onEachDatabase('peer tokens', (environment) => {
  verifies('peer-tokens.discover', 'discover', async () => {
    const platform = await environment.platform(DIRECT);
    const [caller, target] = [
      await onboard(platform),
      await onboard(platform, { url: 'https://peer.example.com/a2a' }),
    ];
    const found = await discover(caller, target.id);
    const token = textAt(found.body, 'peer_token');
    const payload = await verifyToken(token, await keysOf(platform), { audience: target.id, use: 'direct' });
    const { iat, exp } = PeerTokenClaims.strict.parse(payload);
    expect(payload).toMatchObject({ iss: PUBLIC_URL, sub: caller.id });
    expect(exp - iat).toBeLessThanOrEqual(300);
    expect(Date.parse(textAt(found.body, 'peer_token_expires_at'))).toBe(exp * 1_000);
  });

  verifies('peer-tokens.discover', 'discover without', async () => {
    const platform = await environment.platform(DIRECT);
    const caller = await onboard(platform);
    const polling = await onboard(platform);
    const target = await onboard(platform, { url: 'https://peer.example.com/a2a' });
    const tokenFor = async (answer: ReturnType<typeof discover>) =>
      valueAt((await answer).body, 'peer_token');
    expect(await tokenFor(discover(caller, target.id))).toBeTypeOf('string');
    expect(await tokenFor(platform.operator.get(`/registry/discover/${target.id}`))).toBeUndefined();
    expect(await tokenFor(discover(caller, polling.id))).toBeUndefined();
    await platform.operator.post(`/workspaces/${target.id}/pause`);
    expect(await tokenFor(discover(caller, target.id))).toBeUndefined();

    const local = await environment.platform(LOOPBACK);
    const [asker, peer] = [
      await onboard(local),
      await onboard(local, { url: 'https://peer.example.com/a2a' }),
    ];
    const { status, body } = await discover(asker, peer.id);
    expect([status, valueAt(body, 'peer_token'), valueAt(body, 'peer_token_expires_at')]).toEqual([
      200,
      undefined,
      undefined,
    ]);
  });

  verifies('peer-tokens.name-the-caller', 'push; push cannot be imitated', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('ok') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const issuer = await issuerOf(target);
    const headers = { 'x-caller-kind': 'canvas_user', 'x-workspace-id': caller.id };
    await send(caller.caller, target.id, 'hello', { hold: 10, headers });
    await send(platform.operator, target.id, 'hello', { hold: 10 });
    agent.react(() => ({ kind: 'never' }));
    const held = trackCall(send(caller.caller, target.id, 'cancel me', { messageId: 'c-1', hold: 60 }));
    await agent.received(3);
    await caller.caller.post(`/workspaces/${target.id}/a2a`, {
      jsonrpc: '2.0',
      id: 'x',
      method: 'tasks/cancel',
      params: { id: 'c-1' },
    });
    const requests = await agent.received(4);
    await held.response;
    const keys = await keysOf(platform);
    const expected = { audience: target.id, issuer, use: 'push' } as const;
    const claims = [];
    for (const request of requests) claims.push(await verifyToken(bearerOf(request), keys, expected));
    expect(claims.map(({ sub }) => sub)).toEqual([caller.id, 'canvas', caller.id, caller.id]);
    expect(valueAt(requests[3]?.body, 'method')).toBe('tasks/cancel');
    expect(requests.map(bearerOf)).not.toContain(caller.token);
    expect(requests.map((request) => request.headers['x-workspace-id'])).toEqual([
      caller.id,
      undefined,
      caller.id,
      caller.id,
    ]);
    expect(requests.map((request) => request.headers['x-caller-kind'])).toEqual([
      'peer_agent',
      'canvas_user',
      'peer_agent',
      'peer_agent',
    ]);
  });

  verifies('peer-tokens.jwks', 'jwks', async () => {
    const platform = await environment.platform(LOOPBACK);
    const answer = await platform.anonymous.get('/.well-known/jwks.json');
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('public, max-age=300');
    const form = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' };
    const x = expect.stringMatching(/^[\w-]{43}$/);
    expect(answer.body).toEqual({ keys: [{ ...form, x, kid: expect.stringMatching(/./) }] });
  });

  verifies('inbound.credential-is-demanded', 'verification', async () => {
    const platform = await environment.platform(DIRECT);
    const [caller, target, other] = [
      await onboard(platform),
      await onboard(platform, { url: 'https://peer.example.com/a2a' }),
      await onboard(platform, { url: 'https://other.example.com/a2a' }),
    ];
    const token = textAt((await discover(caller, target.id)).body, 'peer_token');
    const keys = await keysOf(platform);
    const claims = decodeJwt(token);
    const { iat = 0, exp = 0 } = claims;
    const here = { audience: target.id, use: 'direct' } as const;
    expect(await isRefused(token, keys, here)).toBe(false);
    // Replayed to another agent, taken for one of another platform, or for a push.
    expect(await isRefused(token, keys, { ...here, audience: other.id })).toBe(true);
    expect(await isRefused(token, keys, { ...here, issuer: 'https://elsewhere.example.com' })).toBe(true);
    expect(await isRefused(token, keys, { ...here, use: 'push' })).toBe(true);
    // The clocks of the two machines may differ by a minute.
    expect(await isRefused(token, keys, { ...here, at: (exp + 59) * 1_000 })).toBe(false);
    expect(await isRefused(token, keys, { ...here, at: (exp + 61) * 1_000 })).toBe(true);
    expect(await isRefused(token, keys, { ...here, at: (iat - 59) * 1_000 })).toBe(false);
    expect(await isRefused(token, keys, { ...here, at: (iat - 61) * 1_000 })).toBe(true);
    // Signed by nobody, by somebody else, with the public key as a secret, or changed.
    const publicJwk = keys.keys[0] ?? {};
    const kid = String(publicJwk.kid);
    const publicBytes = Buffer.from(String(publicJwk.x), 'base64url');
    const publicPem = createPublicKey({ key: publicJwk, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    const stranger = await generateKeyPair('EdDSA');
    const signed = (key: Parameters<SignJWT['sign']>[0], alg: string) =>
      new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key);
    const [header = '', body = '', signature = ''] = token.split('.');
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: other.id })).toString('base64url');
    for (const forged of [
      new UnsecuredJWT(claims).encode(),
      await signed(stranger.privateKey, 'EdDSA'),
      await signed(Buffer.concat([publicBytes]), 'HS256'),
      await signed(Buffer.from(publicPem), 'HS256'),
      `${header}.${changed}.${signature}`,
      `${header}.${body}.`,
    ]) {
      expect(await isRefused(forged, keys, here), forged).toBe(true);
    }
  });

  verifies('peer-tokens.discover', 'reuse', async () => {
    const platform = await environment.platform({ ...DIRECT, clock: 'manual' });
    const [caller, second, target] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform, { url: 'https://peer.example.com/a2a' }),
    ];
    const tokenOf = async (from: Member) => textAt((await discover(from, target.id)).body, 'peer_token');
    const first = await tokenOf(caller);
    expect(await tokenOf(second)).not.toBe(first);
    await platform.clock.advance(239_000);
    expect(await tokenOf(caller)).toBe(first);
    await platform.clock.advance(2_000);
    const next = await tokenOf(caller);
    expect(decodeJwt(next).jti).not.toBe(decodeJwt(first).jti);
  });

  verifies('peer-tokens.jwks', 'rotation', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({ script: answering('ok') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const issuer = await issuerOf(target);
    const copies = [await keysOf(platform)];
    platform.clock.jump(86_400_000 - 15 * 60_000);
    const kids = new Set<string | undefined>();
    for (let minute = 0; minute < 35; minute += 1) {
      copies.push(await keysOf(platform));
      const pushed = agent.requests.length;
      const from = [caller.caller, platform.operator];
      await Promise.all(from.map((each) => send(each, target.id, 'hello', { hold: 10 })));
      for (const request of agent.requests.slice(pushed)) {
        const token = bearerOf(request);
        kids.add(decodeProtectedHeader(token).kid);
        const copy = copies[Math.max(0, copies.length - 6)] ?? { keys: [] };
        await verifyToken(token, copy, {
          audience: target.id,
          issuer,
          use: 'push',
          at: platform.clock.now(),
        });
      }
      platform.clock.jump(60_000);
    }
    expect(agent.requests).toHaveLength(70);
    expect(kids.size).toBe(2);
  });
});

onEachDatabase('peer tokens after a restart', { onDisk: true }, (environment) => {
  verifies('peer-tokens.restart', 'restart; issuer', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('ok') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const issuer = await issuerOf(target);
    expect(issuer).toMatch(/^urn:molecule:[0-9a-f-]{36}$/);
    const keys = await keysOf(platform);
    await send(caller.caller, target.id, 'before', { hold: 10 });
    await platform.restart(() => {
      const file = new DatabaseSync(`${platform.dataDir}/platform.db`, { readOnly: true });
      const rows = file.prepare("select value from platform_meta where key like 'signing-key:%'").all();
      file.close();
      expect(rows.map(({ value }) => textAt(JSON.parse(String(value)), 'sealed'))).toEqual([
        expect.stringMatching(/^v1\./),
      ]);
    });
    expect(await keysOf(platform)).toEqual(keys);
    expect(await issuerOf(target)).toBe(issuer);
    await send(caller.caller, target.id, 'after', { hold: 10 });
    await waitForRow(target, 2);
    for (const request of agent.requests) {
      await verifyToken(bearerOf(request), keys, { audience: target.id, issuer, use: 'push' });
    }
    expect(agent.requests).toHaveLength(2);
    const reachable = await environment.platform(DIRECT);
    expect(await issuerOf(await onboard(reachable))).toBe(PUBLIC_URL);
  });
});

/** The issuer that a register of this agent returns. */
async function issuerOf({ id, caller }: Member): Promise<string> {
  return textAt((await caller.post('/registry/register', { id, workspace_id: id })).body, 'issuer');
}
