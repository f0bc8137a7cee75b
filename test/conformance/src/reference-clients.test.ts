import { FileTokenStore } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { recordingLogger } from '@molecule-ai/core/testing';
import type { AgentRequest } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { ReferencePlatform } from './harness/reference-platform.ts';
import { ReferenceTokens } from './harness/reference-tokens.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const MEMBER = { id: '11111111-1111-4111-8111-111111111111', token: 'token-of-the-reference' };
const PEER = '22222222-2222-4222-8222-222222222222';

async function startReference(environment: TestEnvironment): Promise<ReferencePlatform> {
  const platform = await new ReferencePlatform('june-2026', Date.now()).start();
  environment.onCleanup(() => platform.stop());
  return platform;
}

const ok = (body: object) => ({ kind: 'json', body }) as const;
const refusal = (status: number, error: string) => ({ kind: 'json', status, body: { error } }) as const;

onEachDatabase('clients of the reference platform', { onDisk: true }, (environment) => {
  verifies('reference.unreadable-keys', 'registrations', async () => {
    const wrong = [
      { platform_inbound_secret: 5 },
      { expires_at: 1_767_225_600 },
      { org_id: 7 },
      { capabilities: 'acknowledge' },
      { issuer: 5 },
      { status: 1 },
      { delivery_mode: false },
      { workspace_id: 9 },
    ];
    for (const keys of wrong) {
      const platform = await startReference(environment);
      let isIssued = false;
      platform.routes.set('POST /registry/register', ({ headers }) => {
        if (isIssued && headers.authorization !== 'Bearer issued-once') return refusal(401, 'claimed');
        isIssued = true;
        return ok({ status: 'registered', auth_token: 'issued-once', ...keys });
      });
      const client = environment.client(platform, { id: MEMBER.id });
      expect(await client.register(), JSON.stringify(keys)).toMatchObject({ tokenIssued: true });
      expect(await clientPort(client).currentToken()).toBe('issued-once');
      await client.register();
    }
    const platform = await startReference(environment);
    platform.routes.set('POST /registry/register', () => ok({ status: 'registered', auth_token: 5 }));
    const client = environment.client(platform, { id: MEMBER.id });
    await expect(client.register()).rejects.toMatchObject({
      code: 'unexpected_response',
      message: expect.stringContaining('auth_token'),
    });
  });

  verifies('client.rotate-token', 'rotation', async () => {
    const platform = await startReference(environment);
    const tokens = new ReferenceTokens(platform, MEMBER.id, MEMBER.token);
    const client = environment.client(platform, MEMBER);
    expect(await client.rotateToken()).toEqual({ revokedTokenId: 't-1' });
    expect(await clientPort(client).currentToken()).toBe('2-issued-token');
    expect(tokens.live).toEqual(['2-issued-token']);
    await client.heartbeat();
    const old = environment.client(platform, MEMBER);
    await expect(old.heartbeat()).rejects.toMatchObject({ code: 'unauthorized' });
  });

  verifies('client.rotation-failed', 'rotation incomplete', async () => {
    const platform = await startReference(environment);
    new ReferenceTokens(platform, MEMBER.id, MEMBER.token);
    platform.routes.set('POST /registry/heartbeat', () => ok({ status: 'ok' }));
    const client = environment.client(platform, MEMBER);
    await expect(client.rotateToken()).rejects.toMatchObject({ code: 'rotation_incomplete' });
    expect(await clientPort(client).currentToken()).toBe('2-issued-token');
  });

  verifies('client.rotation-failed', 'rotation restored', async () => {
    const unusable = [
      ['refused', 'a-token-that-is-refused', { kind: 'json', status: 403, body: { error: 'forbidden' } }],
      ['too large', 'x'.repeat(20_000), undefined],
      ['in use', MEMBER.token, undefined],
    ] as const;
    for (const [name, minted, state] of unusable) {
      const platform = await startReference(environment);
      const tokens = new ReferenceTokens(platform, MEMBER.id, MEMBER.token);
      const path = `/workspaces/${MEMBER.id}`;
      platform.routes.set(`POST ${path}/tokens`, () => {
        if (minted !== MEMBER.token) tokens.mint(minted);
        return { kind: 'json', status: 201, body: { auth_token: minted, workspace_id: MEMBER.id } };
      });
      if (state !== undefined) platform.routes.set(`GET ${path}/state`, () => state);
      const stateDirectory = environment.folder();
      const client = environment.client(platform, MEMBER, { storage: { directory: stateDirectory } });
      await expect(client.rotateToken(), name).rejects.toMatchObject({ code: expect.any(String) });
      expect(await clientPort(client).currentToken()).toBe(MEMBER.token);
      const stored = await new FileTokenStore({ directory: stateDirectory }).load();
      expect([undefined, MEMBER.token], name).toContain(stored);
      expect(tokens.live, name).toEqual([MEMBER.token]);
      await client.heartbeat();
    }
  });

  verifies('client.redaction', async () => {
    const platform = await startReference(environment);
    const log = recordingLogger();
    for (const authToken of ['Invalid', 'a-token-of-this-agent']) {
      const client = environment.client(platform, { id: MEMBER.id, token: authToken }, { logger: log });
      const text = `Invalid input: ${authToken}, and a-token-of-this-agents`;
      platform.routes.set('POST /registry/heartbeat', () => refusal(400, text));
      const error = (await client.heartbeat().catch((reason: unknown) => reason)) as Error;
      const shown = authToken === 'Invalid' ? authToken : '[redacted]';
      expect(error.message).toContain(`Invalid input: ${shown}, and a-token-of-this-agents`);
    }
    expect(JSON.stringify(log.lines)).not.toMatch(/a-token-of-this-agent(?!s)/);
  });

  verifies('client.operator', 'operator trees', async () => {
    const platform = await startReference(environment);
    const needsCascade = (body: object) => (request: AgentRequest) =>
      request.path.endsWith('?cascade=true')
        ? ok(body)
        : refusal(409, 'workspace has descendants: use ?cascade=true');
    const path = `POST /workspaces/${PEER}`;
    platform.routes.set(`${path}/pause`, needsCascade({ status: 'paused', paused_count: 3 }));
    platform.routes.set(`${path}/resume`, needsCascade({ status: 'provisioning', resumed_count: 3 }));
    const operator = environment.operator({ url: platform.url, operatorKey: 'operator-key' });
    expect(await operator.pause(PEER)).toBe(3);
    expect(await operator.resume(PEER)).toBe(3);
  });

  verifies('client.operator', 'operator deletes', async () => {
    const platform = await startReference(environment);
    const path = `/workspaces/${PEER}`;
    const names: string[] = [];
    platform.routes.set(`GET ${path}`, () => ok({ id: PEER, name: 'Büro', status: 'online' }));
    platform.routes.set(`DELETE ${path}`, ({ headers }) => {
      const name = Buffer.from(String(headers['x-confirm-name'] ?? ''), 'latin1').toString('utf8');
      names.push(name);
      return name === 'Büro' ? ok({ status: 'removed', cascade_deleted: 2 }) : refusal(400, 'X-Confirm-Name');
    });
    const operator = environment.operator({ url: platform.url, operatorKey: 'operator-key' });
    await expect(operator.deleteWorkspace(PEER)).rejects.toMatchObject({ status: 400 });
    expect(names).toEqual(['']);
    expect(await operator.deleteWorkspace(PEER, { confirm: true })).toBe(2);
    expect(names.at(-1)).toBe('Büro');
  });

  verifies('client.operator', 'operator reads', async () => {
    const platform = await startReference(environment);
    platform.routes.set(`GET /workspaces/${PEER}/state`, () => refusal(401, 'invalid workspace auth token'));
    platform.routes.set(`GET /workspaces/${PEER}`, () => ok({ id: PEER, name: 'peer', status: 'paused' }));
    platform.routes.set('GET /health', () => ok({ status: 'ok' }));
    const operator = environment.operator({ url: platform.url, operatorKey: 'operator-key' });
    expect(await operator.state(PEER)).toMatchObject({ status: 'paused', paused: true, shouldStop: true });
    platform.routes.set(`GET /workspaces/${PEER}`, () => ({
      kind: 'json',
      status: 410,
      body: { error: 'workspace removed', removed_at: '2026-06-01T00:00:00Z' },
    }));
    expect(await operator.state(PEER)).toMatchObject({ status: 'removed', deleted: true, shouldStop: true });
    await operator.ready();
    platform.routes.set('GET /health', () => refusal(503, 'database unavailable'));
    await expect(operator.ready()).rejects.toMatchObject({ status: 503 });
  });

  verifies('reference.container-names', async () => {
    const platform = await startReference(environment);
    const client = environment.client(platform, MEMBER);
    const discovered = (url: string) => () => ok({ id: PEER, name: 'peer', url, status: 'online' });
    platform.routes.set(`GET /registry/discover/${PEER}`, discovered('http://ws-22222222-222:8000'));
    expect(await client.discoverPeer(PEER)).toBeNull();
    platform.routes.set(`GET /registry/discover/${PEER}`, discovered('https://ws-gateway.example.org/a2a'));
    expect(await client.discoverPeer(PEER)).toBe('https://ws-gateway.example.org/a2a');
  });
});
