import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import type { RemoteAgentClient, RemoteAgentClientOptions } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { recordingLogger } from '@molecule-ai/core/testing';
import { type AgentScript, ManualClock, type ScriptedAgent } from '@molecule-tests/harness';
import { Agent } from 'undici';
import { expect } from 'vitest';
import { behindProxy, PLATFORM_HOST, setProxies, startProxy } from './harness/proxied.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const OK: AgentScript = () => ({ kind: 'json', body: { status: 'ok' } });
const agent = { id: randomUUID(), token: 'secret-token-of-this-workspace-43-characters' };
const USER = 'agent@office';
const PASSWORD = 'p4ss/w%rd-of-the-proxy';
const CREDENTIALS = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}`;

interface Stage {
  readonly platform: ScriptedAgent;
  /** Where the platform listens, by a name that needs a proxy. */
  readonly target: string;
  client(options?: RemoteAgentClientOptions): RemoteAgentClient;
}

// The platform is scripted: what counts is the way to it. No database takes part.
async function stage(environment: TestEnvironment): Promise<Stage> {
  const platform = await environment.scriptedAgent({ script: OK });
  const named = behindProxy(platform);
  return {
    platform,
    target: new URL(named.url).host,
    client: (options) => environment.client(named, agent, options),
  };
}

onEachDatabase('HTTP proxies', { onDisk: true }, (environment) => {
  verifies('client.proxy.setting', 'HTTP_PROXY, in lower case first', async () => {
    const { platform, target, client } = await stage(environment);
    const [lower, upper] = [await startProxy(environment), await startProxy(environment)];
    setProxies(environment, { HTTP_PROXY: upper.host, HTTPS_PROXY: 'http://127.0.0.1:1' });
    const logger = recordingLogger();
    await client({ logger }).heartbeat();
    setProxies(environment, { http_proxy: lower.url, HTTP_PROXY: upper.url });
    await client().heartbeat();
    await turn();
    const operator = new OperatorClient({ platformUrl: behindProxy(platform).url, operatorKey: 'key' });
    environment.onCleanup(() => operator.close());
    await operator.listWorkspaces().catch(() => {});
    expect([upper.targets, lower.targets]).toEqual([[target], [target]]);
    expect(platform.requests).toHaveLength(3);
    expect(logger.lines).toContainEqual(
      expect.objectContaining({
        level: 'debug',
        fields: expect.objectContaining({ proxy: upper.host, setting: 'HTTP_PROXY' }),
      }),
    );
  });

  verifies('client.proxy.setting', 'not for a platform on this machine', async () => {
    const { platform } = await stage(environment);
    const proxy = await startProxy(environment);
    setProxies(environment, { http_proxy: proxy.url });
    await environment.client(platform, agent).heartbeat();
    await environment.client({ url: platform.url.replace('127.0.0.1', 'localhost') }, agent).heartbeat();
    expect([platform.requests.length, proxy.targets]).toEqual([2, []]);
  });

  verifies('client.proxy.setting', 'not for what NO_PROXY names', async () => {
    const { platform } = await stage(environment);
    const proxy = await startProxy(environment);
    const url = platform.url.replace('127.0.0.1', '0.0.0.0');
    setProxies(environment, { HTTP_PROXY: proxy.url });
    await environment.client({ url }, agent).heartbeat();
    expect(proxy.targets).toEqual([new URL(url).host]);
    setProxies(environment, { HTTP_PROXY: proxy.url, NO_PROXY: 'office.test, 0.0.0.0' });
    await environment.client({ url }, agent).heartbeat();
    expect([platform.requests.length, proxy.targets.length]).toEqual([2, 1]);
  });

  verifies('client.proxy.setting', 'proxy: option', async () => {
    const { platform, client } = await stage(environment);
    const [named, other] = [await startProxy(environment), await startProxy(environment)];
    setProxies(environment, { HTTP_PROXY: other.url, NO_PROXY: '*' });
    await client({ connection: { proxy: named.url } }).heartbeat();
    await environment.client(platform, agent, { connection: { proxy: named.host } }).heartbeat();
    expect(named.targets).toEqual([new URL(behindProxy(platform).url).host, new URL(platform.url).host]);
    setProxies(environment, { HTTP_PROXY: other.url });
    const anywhere = { url: platform.url.replace('127.0.0.1', '0.0.0.0') };
    await environment.client(anywhere, agent, { connection: { proxy: false } }).heartbeat();
    const dispatcher = new Agent();
    environment.onCleanup(() => dispatcher.close());
    await environment.client(anywhere, agent, { connection: { dispatcher } }).heartbeat();
    await environment.client(anywhere, agent, { connection: { dispatcher, proxy: named.url } }).heartbeat();
    expect([platform.requests.length, named.targets.length, other.targets]).toEqual([5, 2, []]);
  });

  verifies('options.wrong-are-refused', 'proxy: wrong setting', async () => {
    const { client } = await stage(environment);
    const secret = 'hunter2-of-the-office';
    const wrong: readonly (readonly [string, RegExp])[] = [
      [`socks5://user:${secret}@proxy.test:1080`, /SOCKS/],
      [`ftp://user:${secret}@proxy.test`, /must be the http or https URL/],
      [`http://${secret}/x@proxy.test:3128`, /user name, password, host and port only/],
      [`http://${secret}#x@proxy.test:3128`, /user name, password, host and port only/],
      [`http://user:${secret}%zz@proxy.test:3128`, /user name, password, host and port only/],
      [`http://user:${secret}@:3128`, /must be the http or https URL/],
    ];
    for (const [value, words] of wrong) {
      for (const [name, settings, options] of [
        ['http_proxy', { http_proxy: value }, {}],
        ['HTTP_PROXY', { HTTP_PROXY: value }, {}],
        ['connection.proxy', {}, { connection: { proxy: value } }],
      ] as const) {
        setProxies(environment, settings);
        const error = thrownBy(() => client(options));
        expect(error).toMatchObject({ code: 'configuration_invalid', hint: expect.stringMatching(/./) });
        expect(error.message).toMatch(words);
        expect(error.message).toMatch(new RegExp(`^${name} `));
        expect(inspect(error)).not.toContain(secret);
      }
    }
    setProxies(environment, { HTTP_PROXY: 'socks5://proxy.test:1080', NO_PROXY: PLATFORM_HOST });
    client();
    setProxies(environment, { HTTP_PROXY: 'socks5://proxy.test:1080' });
    client({ connection: { proxy: false } });
  });

  verifies('client.proxy.credentials', 'proxy: credentials', async () => {
    const { platform, target, client } = await stage(environment);
    const proxy = await startProxy(environment, { credentials: `${USER}:${PASSWORD}` });
    const url = proxy.url.replace('//', `//${CREDENTIALS}@`);
    setProxies(environment, { HTTP_PROXY: url });
    const logger = recordingLogger();
    const trusted = client({ logger });
    await trusted.heartbeat();
    expect(proxy.targets).toEqual([target]);
    expect(platform.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
    setProxies(environment, { HTTP_PROXY: url.replace('p4ss', 'p5ss') });
    const refused: unknown = await client({ logger })
      .heartbeat()
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'connection_failed',
      delivered: 'no',
      isRetryable: false,
      message: `The connection to http://${target} through the proxy of HTTP_PROXY (${proxy.host}) failed (the proxy responded with 407).`,
      hint: expect.stringContaining('user name and password'),
    });
    // An account of an office is locked after a few wrong passwords.
    expect(proxy.targets).toHaveLength(2);
    const basic = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    const shown = [refused, trusted, logger.lines].map((value) => inspect(value, { depth: 12 })).join();
    const json = JSON.stringify([refused, trusted, logger.lines]);
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), basic]) {
      expect(shown).not.toContain(secret);
      expect(json).not.toContain(secret);
    }
  });

  verifies('client.proxy.errors', 'what the proxy responds', async () => {
    const { target, client } = await stage(environment);
    const proxy = await startProxy(environment);
    for (const [status, hint] of [
      [403, /do not allow CONNECT.*Set `proxy: false` if the platform needs no proxy\.$/],
      [502, /does not reach the platform/],
      [201, /do not allow CONNECT/],
    ] as const) {
      proxy.reaction = status;
      const failed: unknown = await client({ connection: { proxy: proxy.url }, limits: { maxRetries: 0 } })
        .callPeer(randomUUID(), 'hello')
        .catch((error: unknown) => error);
      expect(failed).toMatchObject({
        code: 'connection_failed',
        message: `The connection to http://${target} through the proxy ${proxy.host} failed (the proxy responded with ${status}).`,
        hint: expect.stringMatching(hint),
        delivered: 'no',
        isRetryable: true,
      });
    }
    proxy.reaction = 403;
    setProxies(environment, { HTTP_PROXY: proxy.url });
    await expect(client({ limits: { maxRetries: 0 } }).heartbeat()).rejects.toMatchObject({
      hint: expect.stringMatching(/Add platform\.test to NO_PROXY if the platform needs no proxy\.$/),
    });
    proxy.reaction = 'hang';
    const options = { connection: { proxy: proxy.url }, limits: { maxRetries: 0, requestTimeoutMs: 300 } };
    await expect(client(options).heartbeat()).rejects.toMatchObject({
      code: 'timed_out',
      message: expect.stringContaining(proxy.host),
      hint: `There was no connection yet: check the proxy at ${proxy.host}.`,
      delivered: 'no',
    });
  });

  verifies('client.proxy.errors', 'a proxy that is away, is retried', async () => {
    const { platform, client } = await stage(environment);
    const proxy = await startProxy(environment);
    const clock = new ManualClock();
    const mine = client({ connection: { proxy: proxy.url, clock, random: () => 0.5 } });
    await proxy.stop();
    let ended = false;
    const beat = mine.heartbeat().catch((error: unknown) => error);
    const failed = beat.finally(() => {
      ended = true;
    });
    await clock.advanceUntil(() => ended, { limitMs: 60_000 });
    expect(await failed).toMatchObject({
      code: 'connection_failed',
      message: expect.stringMatching(/through the proxy [\d.:]+ failed \(ECONNREFUSED\)\.$/),
      hint: expect.stringContaining(`The proxy at ${proxy.host} cannot be reached`),
      isRetryable: true,
    });
    let isBack = false;
    const second = mine.heartbeat().then(() => {
      isBack = true;
    });
    await proxy.startAgain();
    await clock.advanceUntil(() => isBack, { limitMs: 60_000 });
    await second;
    expect(platform.requests).toHaveLength(1);
  });

  verifies('client.proxy.errors', 'a server that is no proxy', async () => {
    const { platform, client } = await stage(environment);
    const failed: unknown = await client({
      connection: { proxy: platform.url.replace('http:', 'https:') },
      limits: { maxRetries: 0 },
    })
      .heartbeat()
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'connection_failed',
      hint: expect.stringContaining('is not an HTTP proxy'),
      isRetryable: false,
    });
  });

  verifies('client.proxy.credentials', 'proxy: shared', async () => {
    const { platform, client } = await stage(environment);
    const proxy = await startProxy(environment);
    const [one, two] = [
      client({ connection: { proxy: proxy.url } }),
      client({ connection: { proxy: proxy.url } }),
    ];
    const other = client({ connection: { proxy: proxy.url.replace('//', '//somebody:else@') } });
    await one.heartbeat();
    await turn();
    await two.heartbeat();
    expect(proxy.targets).toHaveLength(1);
    await turn();
    await other.heartbeat();
    expect(proxy.targets).toHaveLength(2);
    await one.close();
    await turn();
    await two.heartbeat();
    expect(proxy.targets).toHaveLength(2);
    await Promise.all([two.close(), other.close()]);
    await expect.poll(() => proxy.open).toBe(0);
    expect(platform.requests).toHaveLength(4);
  });
});

/** A connection is free again in the next turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function thrownBy(work: () => unknown): Error & { readonly hint?: string } {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
