import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { createRemoteAgent } from '@molecule-ai/core';
import { createPlatform, PlatformOptionsError } from '@molecule-ai/platform';
import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { type Headers, type HttpResponse, textAt } from './harness/http.ts';
import { createMember, heartbeat, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const OPERATOR_KEY = 'operator-key-123';
const KEY = Buffer.alloc(32, 7).toString('base64');

async function refusalOf(options: Parameters<typeof createPlatform>[0]): Promise<PlatformOptionsError> {
  try {
    const platform = await createPlatform(options);
    await platform.close();
  } catch (error) {
    if (error instanceof PlatformOptionsError) return error;
    throw error;
  }
  throw new Error(`started with ${JSON.stringify(options)}`);
}

/** The status of a request that is sent as written, addressed to the platform. */
async function statusLine(port: number, line: string, headers: string): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.end(`${line}\r\nHost: 127.0.0.1:${port}\r\n${headers}Connection: close\r\n\r\n`);
  const [, status] = /^HTTP\/1\.1 (\d+)/.exec(await text(socket)) ?? [];
  return Number(status);
}

onEachDatabase('production mode', (environment) => {
  verifies('modes.production-fails-closed', async () => {
    const none = await refusalOf({ data: { directory: ':memory:' }, server: { port: 0 } });
    expect(none.problems.map(({ variable }) => variable)).toEqual(['ADMIN_TOKEN', 'SECRETS_ENCRYPTION_KEY']);
    expect(none.hint).not.toBe('');
    const noKey = await refusalOf({
      data: { directory: ':memory:' },
      server: { port: 0 },
      security: { operatorKey: OPERATOR_KEY },
    });
    expect(noKey.problems.map(({ variable }) => variable)).toEqual(['SECRETS_ENCRYPTION_KEY']);
    const noAdmin = await refusalOf({
      data: { directory: ':memory:' },
      server: { port: 0 },
      security: { secretsEncryptionKey: KEY },
    });
    expect(noAdmin.problems.map(({ variable }) => variable)).toEqual(['ADMIN_TOKEN']);
    const guessable = {
      data: { directory: ':memory:' },
      server: { port: 0 },
      security: { operatorKey: 'x'.repeat(15), secretsEncryptionKey: KEY },
    };
    const refused = await refusalOf(guessable);
    expect(refused.problems).toMatchObject([{ variable: 'ADMIN_TOKEN' }]);
    expect(refused.message).toContain('at least 16 characters');
    const badKey = {
      data: { directory: ':memory:' },
      server: { port: 0 },
      security: { operatorKey: OPERATOR_KEY, secretsEncryptionKey: 'short' },
    };
    expect((await refusalOf(badKey)).message).not.toContain(OPERATOR_KEY);
  });

  verifies('urls.private-only-if-allowed', 'production allows named networks', async () => {
    const platform = await environment.platform({
      security: { allowAgentNetworks: ['10.1.0.0/16', '127.0.0.0/8', '169.254.0.0/16'] },
    });
    const create = (url: string) => platform.operator.post('/workspaces', { name: 'a', external: true, url });
    for (const url of ['http://10.1.2.3:9000/', 'http://127.0.0.1:9000/']) {
      expect((await create(url)).status, url).toBe(201);
    }
    for (const url of [
      'http://10.2.0.1/',
      'http://192.168.0.1/',
      'http://169.254.169.254/',
      'http://[fe80::1]/',
    ]) {
      expect(await create(url), url).toMatchObject({ status: 400, body: { code: 'unsafe_url' } });
    }
    const agent = await environment.scriptedAgent({ script: answering('reached') });
    const target = await onboard(platform, { url: agent.url });
    const caller = await onboard(platform);
    expect((await send(caller.caller, target.id, 'hello', { hold: 10 })).status).toBe(200);
  });

  verifies('modes.org-guard', async () => {
    const platform = await environment.platform({ security: { orgId: 'Org-1' } });
    const asOrg = (org: string) => platform.operator.get('/workspaces', { 'x-molecule-org-id': org });
    expect((await asOrg('Org-1')).status).toBe(200);
    for (const refused of [
      await platform.operator.get('/workspaces'),
      await asOrg('org-2'),
      await asOrg(''),
    ]) {
      expect(refused).toMatchObject({ status: 404, body: { code: 'org_mismatch' } });
    }
    expect((await platform.anonymous.get('/health')).status).toBe(200);
    const created = await platform.operator.post(
      '/workspaces',
      { name: 'a', external: true },
      { 'x-molecule-org-id': 'Org-1' },
    );
    const body = { id: textAt(created.body, 'id'), agent_card: { name: 'a' } };
    expect((await platform.anonymous.post('/registry/register', body)).status).toBe(404);
    const registered = await platform.anonymous.post('/registry/register', body, {
      'x-molecule-org-id': 'Org-1',
    });
    expect(registered).toMatchObject({ status: 200, body: { org_id: 'Org-1' } });
  });
});

onEachDatabase('dev mode', (environment) => {
  verifies('modes.dev-needs-no-credential-here', async () => {
    const platform = await environment.platform({ mode: 'dev' });
    const created = await platform.anonymous.post('/workspaces', { name: 'a', external: true });
    expect(created.status).toBe(201);
    for (const host of [
      `localhost:${platform.port}`,
      `127.0.0.1:${platform.port}`,
      `[::1]:${platform.port}`,
    ]) {
      expect((await platform.anonymous.get('/workspaces', { host })).status, host).toBe(200);
    }
    for (const own of [
      { origin: platform.url, 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
      { origin: 'my-agent/1.0' },
    ]) {
      expect((await platform.anonymous.get('/workspaces', own)).status, JSON.stringify(own)).toBe(200);
    }
  });

  verifies('modes.dev-is-closed-to-others', 'dev is closed to others', async () => {
    const platform = await environment.platform({ mode: 'dev' });
    const member = await createMember(platform);
    const foreign: Headers[] = [
      { host: 'evil.example.com' },
      { host: `evil.example.com:${platform.port}` },
      { host: 'localhost' },
      { host: `localhost.evil.example.com:${platform.port}` },
      { forwarded: 'for=203.0.113.9' },
      { 'x-forwarded-for': '203.0.113.9' },
      { 'x-forwarded-host': 'a.trycloudflare.com' },
      { via: '1.1 proxy' },
      { 'cf-connecting-ip': '203.0.113.9' },
      { 'cf-ray': '1' },
      { 'x-real-ip': '203.0.113.9' },
      { 'cdn-loop': 'cloudflare' },
      { 'true-client-ip': '203.0.113.9' },
      { 'x-original-host': 'demo.ngrok.app' },
      { 'ngrok-auth-user-email': 'a@example.com' },
      { 'tailscale-user-login': 'a@example.com' },
      { 'x-workspace-id': member.id },
      { 'x-source-workspace-id': member.id },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example.com' },
      { origin: `http://localhost:${platform.port + 1}` },
      { origin: 'null' },
    ];
    for (const headers of foreign) {
      const refused: HttpResponse[] = [
        await platform.anonymous.get('/workspaces', headers),
        await platform.anonymous.post('/workspaces', { name: 'b', external: true }, headers),
      ];
      for (const answer of refused) expect(answer.status, JSON.stringify(headers)).toBe(401);
    }
    expect((await platform.anonymous.get('/workspaces')).body).toHaveLength(1);
  });

  verifies('modes.dev-is-closed-to-others', 'dev is closed to http 1 0', async () => {
    const platform = await environment.platform({ mode: 'dev' });
    const statusOf = (version: string, credential = '') =>
      statusLine(platform.port, `GET /workspaces HTTP/${version}`, credential);
    expect(await statusOf('1.1')).toBe(200);
    expect(await statusOf('1.0')).toBe(401);
    expect(await statusOf('1.0', `Authorization: Bearer ${platform.operatorKey}\r\n`)).toBe(200);
  });

  verifies('modes.dev-is-local-only', 'dev has no public url', async () => {
    const dev = { mode: 'dev', data: { directory: ':memory:' }, server: { port: 0 } } as const;
    for (const publicUrl of ['https://molecule.example.com', 'http://192.168.1.10:8080']) {
      const refusal = await refusalOf({ ...dev, server: { ...dev.server, publicUrl } });
      expect(refusal.problems.map(({ option }) => option)).toEqual(['server.publicUrl']);
      expect(refusal.message).toContain('production mode');
    }
    const platform = await environment.platform({
      mode: 'dev',
      server: { publicUrl: 'http://localhost:8080' },
    });
    expect((await platform.anonymous.get('/workspaces')).status).toBe(200);
  });

  verifies('modes.dev-checks-credentials', 'dev wrong bearer is not nobody', async () => {
    const platform = await environment.platform({ mode: 'dev' });
    for (const authorization of ['Bearer wrong', 'Bearer ', 'Basic b3A6b3A=', '']) {
      const answer = await platform.anonymous.get('/workspaces', { authorization });
      expect(answer.status, authorization).toBe(401);
    }
  });

  verifies('modes.dev-checks-credentials', 'dev has an operator key', async () => {
    const platform = await environment.platform({ mode: 'dev' });
    const tunnelled = { host: 'demo.example.com', 'x-forwarded-for': '203.0.113.9' };
    expect((await platform.operator.get('/workspaces', tunnelled)).status).toBe(200);
  });

  verifies('modes.dev-is-local-only', 'dev listens on loopback only', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.10', 'molecule.example.com']) {
      const refusal = await refusalOf({
        mode: 'dev',
        data: { directory: ':memory:' },
        server: { port: 0, host },
      });
      expect(refusal.problems.map(({ option }) => option)).toEqual(['server.host']);
    }
    const platform = await environment.platform({ mode: 'dev' });
    expect(['127.0.0.1', 'localhost', '[::1]']).toContain(new URL(platform.url).hostname);
  });

  verifies('urls.private-only-if-allowed', 'dev allows private agents', async () => {
    const platform = await environment.platform({ mode: 'dev' });
    const create = (url: string) =>
      platform.anonymous.post('/workspaces', { name: 'a', external: true, url });
    for (const url of [
      'http://127.0.0.1:9000/',
      'http://localhost:9000/',
      'http://192.168.0.7/',
      'http://10.0.0.7/',
    ]) {
      expect((await create(url)).status, url).toBe(201);
    }
    for (const url of ['http://169.254.169.254/', 'http://[fe80::1]/', 'http://[::ffff:169.254.169.254]/']) {
      expect(await create(url), url).toMatchObject({ status: 400, body: { code: 'unsafe_url' } });
    }
    const agent = await environment.scriptedAgent({ script: answering('near') });
    const target = await onboard(platform, { url: agent.url });
    expect((await heartbeat(target)).status).toBe(200);
    expect((await send(platform.operator, target.id, 'hello', { hold: 10 })).status).toBe(200);
  });

  verifies('modes.org-missing-ends-the-start', async () => {
    const platform = await environment.platform({ security: { orgId: 'org-1' } });
    const headers = { 'x-molecule-org-id': 'org-1' };
    const { body } = await platform.operator.post('/workspaces', { name: 'a', external: true }, headers);
    const identity = { id: textAt(body, 'id'), token: textAt(body, 'connection', 'auth_token') };
    for (const orgId of [undefined, 'org-2']) {
      const client = environment.client(platform, identity, { orgId });
      const agent = createRemoteAgent({ client, onMessage: () => {} });
      await expect(agent.start()).rejects.toMatchObject({
        code: 'routing_problem',
        platformCode: 'org_mismatch',
        hint: expect.stringContaining('orgId'),
      });
      expect(agent.state).toBe('stopped');
    }
    const client = environment.client(platform, identity, { orgId: 'ORG-1' });
    const agent = createRemoteAgent({ client, onMessage: () => {} });
    await agent.start();
    await agent.stop();
  });
});
