import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createRemoteAgent, RemoteAgentClient, type RemoteAgentOptions } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { recordingLogger } from '@molecule-ai/core/testing';
import { Agent } from 'undici';
import { expect, vi } from 'vitest';
import { startHeartbeatProxy } from './harness/heartbeat-proxy.ts';
import { type Member, onboard, send } from './harness/members.ts';
import { behindProxy, expectOnly, PLATFORM_CERTIFICATE, setProxies, startProxy } from './harness/proxied.ts';
import { startPushAgent } from './harness/push-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** Real pauses before an agent reconnects. */
vi.setConfig({ testTimeout: 120_000 });

const PATIENCE = { timeout: 60_000 };

/** An agent of a member whose platform is reached through the proxy of the environment. */
async function startAgent(
  environment: TestEnvironment,
  platform: { readonly url: string },
  member: Member,
  options: Partial<RemoteAgentOptions> = {},
) {
  const logger = recordingLogger();
  const client = environment.client(behindProxy(platform), member, { logger });
  const agent = createRemoteAgent({
    client,
    presence: { reconnectSpreadMs: 500 },
    onMessage: ({ text }) => `echo: ${text}`,
    ...options,
  });
  environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
  await agent.start();
  return { agent, client, logger };
}

onEachDatabase('agents behind an HTTP proxy', { onDisk: true }, (environment) => {
  verifies('client.proxy.agent', 'proxy: agent', async () => {
    const platform = await environment.platform({ server: { contractCheck: 'all' } });
    const proxy = await startProxy(environment);
    setProxies(environment, { HTTP_PROXY: proxy.url });
    const members = [await onboard(platform, { name: 'asked' }), await onboard(platform, { name: 'asking' })];
    const [asked, asking] = members as [Member, Member];
    const { agent } = await startAgent(environment, platform, asked, {
      onMessage: async function* ({ text }) {
        yield 'echo: ';
        yield text;
      },
    });
    const { client } = await startAgent(environment, platform, asking);
    await expect.poll(() => agent.health().delivery, PATIENCE).toBe('long-poll');
    expect(await client.callPeer(asked.id, 'hello')).toMatchObject({
      status: 'answered',
      text: 'echo: hello',
    });
    let streamed = '';
    for await (const piece of client.streamPeer(asked.id, 'again')) streamed += piece;
    expect(streamed).toBe('echo: again');

    for (const reaction of ['connect', 407] as const) {
      await proxy.stop();
      await expect.poll(() => proxy.open).toBe(0);
      await send(platform.operator, asked.id, 'while the proxy was away');
      const before = proxy.targets.length;
      proxy.reaction = reaction;
      await proxy.startAgain();
      await expect.poll(() => proxy.targets.length, PATIENCE).toBeGreaterThan(before);
      proxy.reaction = 'connect';
      await expect
        .poll(async () => (await unacknowledged(platform.operator, asked.id)).length, PATIENCE)
        .toBe(0);
    }
    expect(await client.callPeer(asked.id, 'and now')).toMatchObject({ text: 'echo: and now' });
    expectOnly(proxy, platform);
  });

  verifies('client.proxy.tunnels', 'also for http', async () => {
    const platform = await environment.platform();
    const proxy = await startProxy(environment);
    const member = await onboard(platform);
    await environment.client(behindProxy(platform), member, { connection: { proxy: proxy.url } }).heartbeat();
    expectOnly(proxy, platform);
    expect(proxy.requests[0]?.headers).not.toHaveProperty('authorization');
    expect(proxy.passed).toContain(member.token);
  });

  verifies(
    'client.proxy.tunnels',
    'https is read by the platform only, through https proxies too',
    async () => {
      trustCertificate(environment);
      const platform = await environment.platform();
      const secure = await startHeartbeatProxy(environment, platform.url, { tls: PLATFORM_CERTIFICATE });
      const member = await onboard(platform);
      for (const tls of [undefined, PLATFORM_CERTIFICATE]) {
        const proxy = await startProxy(environment, tls && { tls });
        setProxies(environment, { HTTPS_PROXY: proxy.url, HTTP_PROXY: 'http://127.0.0.1:1' });
        const client = environment.client(behindProxy(secure), member);
        await client.heartbeat();
        expectOnly(proxy, secure);
        expect(proxy.passed.length).toBeGreaterThan(0);
        expect(proxy.passed).not.toContain(member.token);
        await client.close();
      }
      setProxies(environment, { HTTP_PROXY: (await startProxy(environment)).url });
      await environment.client(behindProxy(secure), member).heartbeat();
    },
  );

  verifies('client.dispatcher', 'one with a certificate authority of its own', async () => {
    const platform = await environment.platform();
    const secure = await startHeartbeatProxy(environment, platform.url, { tls: PLATFORM_CERTIFICATE });
    const { id, token } = await onboard(platform);
    const stateDirectory = environment.folder();
    const options = {
      platformUrl: secure.url,
      workspaceId: id,
      authToken: token,
      storage: { directory: stateDirectory },
    };
    const ca = PLATFORM_CERTIFICATE.cert;
    // #region authority
    const dispatcher = new Agent({ connect: { ca } }); // the authority of this platform, and no other
    const client = new RemoteAgentClient({ ...options, connection: { dispatcher } });
    const peers = await client.getPeers();
    await client.close();
    await dispatcher.close();
    // #endregion authority
    expect(peers).toEqual([]);
    const plain = environment.client(secure, { id, token }, { limits: { maxRetries: 0 } });
    await expect(plain.getPeers()).rejects.toMatchObject({
      hint: expect.stringContaining('NODE_EXTRA_CA'),
    });
  });

  verifies('client.proxy.agent', 'its errors are those of the main thread', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const proxy = await startProxy(environment);
    const client = environment.client(behindProxy(platform), member, { connection: { proxy: proxy.url } });
    const thread = clientPort(client).openHeartbeatThread({
      intervalMs: 30_000,
      maxBlockMs: 300_000,
      onRepeated: () => {},
    });
    if (thread === null) throw new Error('No thread was opened.');
    environment.onCleanup(() => thread.close());
    const heartbeat = () => clientPort(client).heartbeat({}, { isRetried: false, thread });
    await heartbeat();
    await expect.poll(() => thread.place, PATIENCE).toBe('worker');
    const before = proxy.targets.length;
    await heartbeat();
    expect(proxy.targets).toHaveLength(before + 1);
    await proxy.stop();
    const through = new RegExp(`through the proxy ${proxy.host.replaceAll('.', '\\.')} failed \\(`);
    await expect(heartbeat()).rejects.toMatchObject({
      code: 'connection_failed',
      message: expect.stringMatching(through),
    });
    await expect(heartbeat()).rejects.toMatchObject({
      message: expect.stringContaining('ECONNREFUSED'),
      hint: expect.stringContaining(`The proxy at ${proxy.host} cannot be reached`),
    });
    await proxy.startAgain();
    proxy.reaction = 407;
    await expect(heartbeat()).rejects.toMatchObject({
      message: expect.stringContaining('the proxy responded with 407'),
      isRetryable: false,
    });
    proxy.reaction = 'connect';
    await heartbeat();
    expect(thread.place).toBe('worker');
  });

  verifies('client.proxy.direct-calls', async () => {
    const platform = await environment.platform({
      security: { allowAgentNetworks: ['127.0.0.0/8'] },
      server: { publicUrl: 'https://molecule.example.com' },
    });
    const proxy = await startProxy(environment);
    setProxies(environment, { http_proxy: proxy.url });
    vi.stubEnv('MOLECULE_ALLOW_PEER_NETWORKS', '127.0.0.0/8');
    const [asked, asking] = [await onboard(platform), await onboard(platform)];
    // Its server gets the keys of the platform through the proxy.
    const peer = await startPushAgent(environment, behindProxy(platform), asked);
    const caller = environment.client(behindProxy(platform), asking);
    await caller.register();
    const direct = await caller.callPeer(asked.id, 'hello');
    expect([direct.via, direct.text]).toEqual(['direct', 'echo: hello']);
    await peer.close();
    const stored = await caller.callPeer(asked.id, 'on another way');
    expect([stored.via, stored.status]).toEqual(['proxy', 'queued']);
    await peer.open();
    expect((await caller.waitForAnswer(stored.messageId)).text).toBe('echo: on another way');
    expectOnly(proxy, platform);
  });
});

async function unacknowledged(operator: Member['caller'], id: string): Promise<unknown[]> {
  const page = await operator.get(`/workspaces/${id}/activity?type=a2a_receive&unacknowledged=true`);
  return page.body as unknown[];
}

/** For the rest of this test, in this thread. */
function trustCertificate(environment: TestEnvironment): void {
  const before = getCACertificates();
  setDefaultCACertificates([...before, PLATFORM_CERTIFICATE.cert]);
  environment.onCleanup(() => setDefaultCACertificates(before));
}
