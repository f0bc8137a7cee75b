import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { A2AServer, toNodeListener } from '@molecule-ai/core';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { expect } from 'vitest';
import { onboard, registerMember, send as sendMessage } from './harness/members.ts';
import { createPushAgent, startPushAgent } from './harness/push-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { contractCheck: 'all' },
} as const;

/** What tunnels and reverse proxies add. */
const ADDED = {
  forwarded: 'for=192.0.2.1;proto=https',
  'x-forwarded-for': '192.0.2.1',
  'x-forwarded-host': 'agents.example',
  'x-forwarded-proto': 'https',
  via: '1.1 proxy',
  'cf-connecting-ip': '192.0.2.1',
  'cf-ray': '1',
  host: 'agents.example',
};

/** A reverse proxy that removes the first segment of the path and adds headers. Resolves with its URL. */
async function startProxy(environment: TestEnvironment, target: string): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const path = incoming.url?.replace(/^\/[^/]*/, '') ?? '';
    const headers = { ...incoming.headers, ...ADDED };
    const forwarded = send(`${target}${path}`, { method: incoming.method, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  environment.onCleanup(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

onEachDatabase('the server of an agent', (environment) => {
  verifies('inbound.behind-a-proxy', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const { agent, handled, url } = await createPushAgent(environment, platform, member);
    const proxied = `${await startProxy(environment, url)}/researcher/`;
    await agent.start();
    await registerMember(member, { url: proxied });
    const probe = await platform.operator.post(`/workspaces/${member.id}/probe`, {});
    expect(probe.body).toEqual({ reachable: true, reason: null, status: 200 });
    const { status } = await sendMessage(peer.caller, member.id, 'hello', { messageId: 'm-1', hold: 30 });
    expect([status, handled.map(({ sourceId, text }) => [sourceId, text])]).toEqual([
      200,
      [[peer.id, 'hello']],
    ]);
    // The headers of a proxy are no credential.
    const response = await fetch(proxied, { method: 'POST', body: '{"text":"hello"}' });
    expect(response.status).toBe(401);
  });

  verifies('inbound.large-messages', 'largest message', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [peer, member] = [await onboard(platform, { name: 'peer' }), await onboard(platform)];
    const { handled } = await startPushAgent(environment, platform, member);
    const bodyOf = (messageId: string, text: string, metadata: object) => ({
      jsonrpc: '2.0',
      id: 1,
      method: 'message/send',
      params: {
        message: { kind: 'message', role: 'user', messageId, parts: [{ kind: 'text', text }] },
        metadata,
      },
    });
    const deep = JSON.parse(`${'['.repeat(61)}${']'.repeat(61)}`);
    const wide = Array(49_980).fill(0);
    for (const [messageId, metadata] of Object.entries({ large: {}, deep: { deep }, wide: { wide } })) {
      const rest = JSON.stringify(bodyOf(messageId, '', metadata)).length;
      const body = bodyOf(messageId, 'x'.repeat(1024 * 1024 - rest), metadata);
      const { status } = await peer.caller.post(`/workspaces/${member.id}/a2a`, body);
      expect(status).toBe(200);
    }
    expect(handled).toHaveLength(3);
  });

  verifies('inbound.auto-delivery', 'server change is noticed', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const { clock } = platform;
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const { agent, close, handled, url } = await createPushAgent(environment, platform, member, {
      delivery: 'auto',
      clock,
    });
    await close();
    await agent.start();
    const untilMode = async (mode: string, change: () => Promise<void>) => {
      const changed = new Promise<void>((resolve) => {
        agent.on('delivery-changed', (now) => now === mode && resolve());
      });
      await change();
      await changed;
      await sendMessage(peer.caller, member.id, mode, { messageId: `m-${handled.length}`, hold: 30 });
    };
    const startedAt = clock.now();
    for (let round = 0; round < 2; round += 1) {
      const server = new A2AServer({ agent, port: Number(new URL(url).port) });
      environment.onCleanup(() => server.stop({ timeoutMs: 0 }));
      await untilMode('push', () => server.start());
      await untilMode('long-poll', () => server.stop());
    }
    expect(clock.now()).toBe(startedAt);
    expect(handled.map(({ text }) => text)).toEqual(['push', 'long-poll', 'push', 'long-poll']);
  });

  verifies('inbound.server-starts-again', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const { agent, close, handled, url } = await startPushAgent(environment, platform, member);
    const server = new A2AServer({ agent, port: Number(new URL(url).port) });
    environment.onCleanup(() => server.stop({ timeoutMs: 0 }));
    const inUse = { code: 'connection_failed', hint: expect.stringContaining('Another program') };
    await expect(server.start()).rejects.toMatchObject(inUse);
    await close();
    for (const messageId of ['m-1', 'm-2']) {
      await server.start();
      const { status } = await sendMessage(peer.caller, member.id, messageId, { messageId, hold: 30 });
      expect(status).toBe(200);
      await server.stop();
    }
    expect(handled.map(({ text }) => text)).toEqual(['m-1', 'm-2']);
  });

  verifies('inbound.delivery-reason', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const { clock } = platform;
    const other = await startPushAgent(environment, platform, await onboard(platform));
    const cases = [
      { reason: 'connection_refused', hint: 'Nothing listens there', isClosed: true },
      { reason: 'no_probe_header', hint: 'not this agent', options: { reportedUrl: other.url } },
      { reason: 'inbound_auth', hint: 'peer-tokens', options: { inboundAuth: 'none' } },
    ] as const;
    for (const { reason, hint, ...more } of cases) {
      const options = 'options' in more ? more.options : {};
      const member = await onboard(platform);
      const started = await createPushAgent(environment, platform, member, {
        delivery: 'auto',
        clock,
        ...options,
      });
      const { agent, close, log } = started;
      if ('isClosed' in more) await close();
      const changed = new Promise<unknown[]>((resolve) => {
        agent.on('delivery-changed', (...change) => resolve(change));
      });
      await agent.start();
      expect(await changed).toEqual(['long-poll', reason]);
      expect(agent.health()).toMatchObject({ delivery: 'long-poll', deliveryReason: reason });
      const warnings = log.lines.filter(({ fields }) => fields.reason === reason);
      expect(warnings).toMatchObject([{ level: 'warn', fields: { hint: expect.stringContaining(hint) } }]);
      await started.stop();
    }
  });

  verifies('inbound.push-is-answered', 'hold limit', async () => {
    const platform = await environment.platform(LOOPBACK);
    const member = await onboard(platform);
    const secret = 'a-secret-of-this-test';
    const answer = Promise.withResolvers<string>();
    const { handled, url } = await startPushAgent(environment, platform, member, {
      inboundAuth: { sharedSecret: secret },
      handler: { holdSeconds: 0 },
      onMessage: () => answer.promise,
    });
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'x-timeout': '300' },
      body: '{"text":"hello"}',
    });
    expect([response.status, await response.json()]).toMatchObject([202, { status: 'queued' }]);
    expect(handled).toHaveLength(1);
    answer.resolve('done');
  });

  verifies('options.wrong-are-refused', 'wrong options are named', async () => {
    const platform = await environment.platform(LOOPBACK);
    const { agent, client } = await createPushAgent(environment, platform, await onboard(platform));
    const creations: readonly [string, () => unknown][] = [
      ['agent', () => createInboundHandler(client as never)],
      ['holdSeconds', () => createInboundHandler(agent, { holdSeconds: -1 })],
      ['maxConcurrentRequests', () => new A2AServer({ agent, port: 0, maxConcurrentRequests: 0 })],
      ['agent', () => new A2AServer({ agent: client as never, port: 0 })],
      ['handler', () => new A2AServer({ handler: agent as never, port: 0 })],
      ['handler', () => toNodeListener(agent as never)],
      ['tls', () => new A2AServer({ agent, port: 0, tls: { key: 'key', cert: 'cert' } })],
    ];
    for (const [option, create] of creations) {
      const message = expect.stringMatching(new RegExp(`^${option}\\b`));
      expect(create).toThrow(expect.objectContaining({ code: 'configuration_invalid', message }));
    }
  });
});
