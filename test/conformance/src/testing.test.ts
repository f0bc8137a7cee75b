import {
  createRemoteAgent,
  MemoryInboundStore,
  type MessageHandler,
  type RemoteAgent,
  RemoteAgentClient,
  type RemoteAgentClientOptions,
  type RemoteAgentOptions,
  silentLogger,
} from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { OperatorClient } from '@molecule-ai/core/operator';
import { temporaryState } from '@molecule-ai/core/testing';
import {
  createTestPlatform,
  type TestPlatform,
  type TestPlatformOptions,
  type TestWorkspace,
} from '@molecule-ai/platform/testing';
import { request as send } from 'undici';
import { expect, onTestFinished, vi } from 'vitest';
import { openHandles } from './harness/open-handles.ts';
import { verifies } from './verifies.ts';

// A simulated day is much work for a loaded machine.
vi.setConfig({ testTimeout: 120_000 });

const HOURS = 6 * 3_600_000;
const MINUTE = 60_000;
const _DAY = 24 * 60 * MINUTE;

async function open(options: TestPlatformOptions = {}): Promise<TestPlatform> {
  const platform = await createTestPlatform(options);
  onTestFinished(() => platform.close());
  return platform;
}

function clientOf(
  platform: TestPlatform,
  workspace: TestWorkspace,
  options: RemoteAgentClientOptions = {},
): RemoteAgentClient {
  const state = temporaryState();
  const client = new RemoteAgentClient({
    ...platform,
    ...workspace,
    ...state,
    logger: silentLogger,
    ...options,
  });
  onTestFinished(async () => {
    await client.close();
    state.remove();
  });
  return client;
}

interface Started {
  readonly id: string;
  readonly agent: RemoteAgent;
  readonly client: RemoteAgentClient;
}

async function start(
  platform: TestPlatform,
  onMessage: MessageHandler,
  options: Partial<Omit<RemoteAgentOptions, 'client'>> = {},
): Promise<Started> {
  const workspace = await platform.createWorkspace('agent');
  const client = clientOf(platform, workspace);
  const agent = createRemoteAgent({ client, onMessage, store: new MemoryInboundStore(), ...options });
  onTestFinished(() => platform.clock.advanceUntilSettled(agent.stop()));
  await agent.start();
  return { id: workspace.workspaceId, agent, client };
}

function operatorOf(platform: TestPlatform): OperatorClient {
  const operator = new OperatorClient(platform);
  onTestFinished(() => operator.close());
  return operator;
}

verifies('testing.in-process', 'in process', async () => {
  const before = openHandles();
  const platform = await open();
  const asked = await start(platform, ({ text }) => `echo: ${text}`);
  const asking = await start(platform, () => undefined);
  const peers = await asking.client.getPeers();
  expect(peers.map(({ id }) => id)).toEqual([asked.id]);
  expect(await asking.client.callPeer(asked.id, 'hello')).toMatchObject({
    status: 'answered',
    text: 'echo: hello',
  });
  expect(await operatorOf(platform).sendMessage(asked.id, 'and you')).toMatchObject({
    text: 'echo: and you',
  });
  expect(openHandles()).toEqual(before);
  await expect(
    new RemoteAgentClient({
      ...platform,
      workspaceId: asked.id,
      authToken: 'x'.repeat(43),
      platformUrl: 'http://elsewhere.test',
      limits: { maxRetries: 0 },
    }).heartbeat(),
  ).rejects.toMatchObject({ code: 'connection_failed', delivered: 'no' });
});

verifies('testing.one-clock', 'one clock', async () => {
  const platform = await open();
  const { clock } = platform;
  const { id, agent } = await start(platform, () => 'ok');
  const silent = await platform.createWorkspace('silent');
  await clientOf(platform, silent).register();
  const statuses = () => Promise.all([id, silent.workspaceId].map((each) => platform.statusOf(each)));
  const startedAt = clock.now();
  expect(await statuses()).toEqual(['online', 'online']);
  await clock.advance(85_000);
  expect(await statuses()).toEqual(['online', 'online']);
  await clock.advance(30_000);
  expect(await statuses()).toEqual(['online', 'offline']);
  await clock.advance(60 * MINUTE);
  expect(await statuses()).toEqual(['online', 'offline']);
  expect(clock.now() - startedAt).toBe(60 * MINUTE + 115_000);
  expect(Date.parse(agent.health().lastHeartbeatAt ?? '')).toBeGreaterThan(clock.now() - 31_000);
  const [event] =
    (await platform.request('GET', `/workspaces/${id}`)).body.last_heartbeat_at?.match(/^2027-01-01T01:01/) ??
    [];
  expect(event).toBe('2027-01-01T01:01');
});

verifies('testing.workspaces', async () => {
  const platform = await open();
  const parent = await platform.createWorkspace('parent');
  const child = await platform.createWorkspace('child', { parent_id: parent.workspaceId });
  const statuses = () =>
    Promise.all([parent, child].map(({ workspaceId }) => platform.statusOf(workspaceId)));
  expect(await statuses()).toEqual(['awaiting_agent', 'awaiting_agent']);
  await platform.pause(parent.workspaceId);
  expect(await statuses()).toEqual(['paused', 'paused']);
  await expect(platform.pause(parent.workspaceId)).rejects.toThrow('already_paused');
  await platform.resume(parent.workspaceId);
  expect(await statuses()).toEqual(['awaiting_agent', 'awaiting_agent']);
  await clientOf(platform, child).register();
  expect(await statuses()).toEqual(['awaiting_agent', 'online']);
  const { id, agent } = await start(platform, () => 'ok');
  await platform.remove(id);
  await platform.clock.advance(MINUTE);
  expect(await agent.closed).toBe('removed');
  await platform.remove(parent.workspaceId);
  expect(await statuses()).toEqual(['removed', 'removed']);
  await expect(platform.statusOf('0b6f0c3e-1d5a-4c1b-9a51-6f2f1b8f0a01')).rejects.toThrow('404');
});

verifies('testing.in-process', 'streams', async () => {
  const platform = await open();
  const { clock } = platform;
  const { id } = await start(platform, async function* () {
    for (const piece of ['one ', 'two ', 'three']) {
      yield piece;
      await clock.sleep(10_000);
    }
  });
  const stream = operatorOf(platform).streamMessage(id, 'count');
  const pieces: string[] = [];
  const reading = (async () => {
    for await (const piece of stream) pieces.push(piece);
  })();
  const seen: number[] = [];
  for (let at = 0; at < 4; at += 1) {
    await clock.advance(10_000);
    seen.push(
      pieces
        .join('')
        .split(' ')
        .filter((word) => word !== '').length,
    );
  }
  await reading;
  expect(pieces.join('')).toBe('one two three');
  expect(seen).toEqual([2, 3, 3, 3]);
  expect(await stream.reply()).toMatchObject({ status: 'answered', text: 'one two three' });
});

verifies('testing.in-process', 'disconnects', async () => {
  const platform = await open();
  let answer = (_text: string) => {};
  const { id } = await start(
    platform,
    () =>
      new Promise<string>((resolve) => {
        answer = resolve;
      }),
  );
  const caller = await platform.createWorkspace('caller');
  const client = clientOf(platform, caller);
  await client.register();
  const ending = new AbortController();
  const held = send(`${platform.platformUrl}/workspaces/${id}/a2a`, {
    dispatcher: platform.connection.dispatcher as never,
    method: 'POST',
    headers: { authorization: `Bearer ${caller.authToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: '1',
      method: 'message/send',
      params: {
        message: {
          kind: 'message',
          role: 'user',
          messageId: 'm-1',
          parts: [{ kind: 'text', type: 'text', text: 'hello' }],
        },
      },
    }),
    signal: ending.signal,
  });
  const aborted = expect(held).rejects.toThrow('enough');
  await platform.clock.settle();
  ending.abort(new Error('enough'));
  await aborted;
  await platform.clock.settle();
  expect(await client.fetchInbound()).toEqual([]);
  answer('too late for the request');
  await platform.clock.settle();
  const messages = await client.fetchInbound();
  expect(messages.map(({ text, inReplyTo }) => [text, inReplyTo])).toEqual([
    [expect.stringContaining('too late for the request'), 'm-1'],
  ]);
});

verifies('testing.in-process', 'serve', async () => {
  const platform = await open();
  const { clock } = platform;
  const url = 'https://agent.test/a2a';
  const workspace = await platform.createWorkspace('pushed');
  const client = clientOf(platform, workspace, { reportedUrl: url });
  const agent = createRemoteAgent({
    client,
    delivery: 'push',
    store: new MemoryInboundStore(),
    onMessage: async function* ({ text }) {
      yield `echo: ${text}`;
      await clock.sleep(1_000);
      yield '!';
    },
  });
  onTestFinished(() => platform.clock.advanceUntilSettled(agent.stop()));
  const seen: string[] = [];
  const handler = createInboundHandler(agent);
  const end = platform.serve(url, (request) => {
    seen.push(`${request.method} ${request.url} ${request.headers.get('authorization')?.slice(0, 7)}`);
    return handler(request);
  });
  expect(() => platform.serve('https://agent.test', handler)).toThrow('already served');
  await agent.start();
  expect(await clientPort(client).probe(url)).toMatchObject({ isReachable: true });
  const operator = operatorOf(platform);
  const stream = operator.streamMessage(workspace.workspaceId, 'hello');
  let text = '';
  const reading = (async () => {
    for await (const piece of stream) text += piece;
  })();
  await expect.poll(async () => clock.settle().then(() => text)).toBe('echo: hello');
  await clock.advance(1_000);
  await reading;
  expect(text).toBe('echo: hello!');
  expect(seen).toContain('POST https://agent.test/a2a Bearer ');
  const refused = await fetchServed(handler, url);
  expect(refused.status).toBe(401);
  await end();
  expect(await clientPort(client).probe(url)).toMatchObject({ isReachable: false });
});

/** As somebody who is not the platform. */
function fetchServed(handler: (request: Request) => Promise<Response>, url: string): Promise<Response> {
  return handler(
    new Request(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
  );
}

verifies('testing.in-process', 'modes', async () => {
  const production = await open();
  const anonymous = { token: null };
  expect(await production.request('GET', '/workspaces', anonymous)).toMatchObject({ status: 401 });
  expect(await production.request('GET', '/workspaces', { token: 'wrong' })).toMatchObject({ status: 401 });
  expect(await production.request('GET', '/workspaces')).toMatchObject({ status: 200, body: [] });
  const dev = await open({ mode: 'dev' });
  expect(await dev.request('GET', '/workspaces', anonymous)).toMatchObject({ status: 200, body: [] });
  const host = { ...anonymous, headers: { host: 'elsewhere.test' } };
  expect(await dev.request('GET', '/workspaces', host)).toMatchObject({ status: 401 });
  const limited = await open({
    limits: { rateLimit: 3 },
    server: { publicUrl: 'http://acme.test:8080/' },
    security: { orgId: 'org-1' },
  });
  const headers = { 'x-molecule-org-id': 'org-1' };
  expect((await limited.request('GET', '/workspaces')).status).toBe(404);
  expect((await limited.request('GET', '/health')).status).toBe(200);
  const statuses = [];
  for (let at = 0; at < 4; at += 1)
    statuses.push((await limited.request('GET', '/workspaces', { headers })).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
  await limited.clock.advance(MINUTE);
  expect((await limited.request('GET', '/workspaces', { headers })).status).toBe(200);
});

verifies('testing.one-clock', 'hours of an agent that reads its feed', () => simulateHours('long-poll'));

verifies('testing.one-clock', 'hours of an agent with a URL', () => simulateHours('push'));

async function simulateHours(delivery: 'long-poll' | 'push'): Promise<void> {
  const platform = await open();
  const { clock, dispatcher } = platform.connection;
  const url = 'https://agent.test/a2a';
  const workspace = await platform.createWorkspace('agent', delivery === 'push' ? { url } : {});
  const client = clientOf(platform, workspace, delivery === 'push' ? { reportedUrl: url } : {});
  const handled: string[] = [];
  const onMessage: MessageHandler = ({ text }) => {
    handled.push(text);
    return `echo: ${text}`;
  };
  const agent = createRemoteAgent({ client, onMessage, delivery, store: new MemoryInboundStore() });
  onTestFinished(() => clock.advanceUntilSettled(agent.stop()));
  if (delivery === 'push') platform.serve(url, createInboundHandler(agent));
  const beats: number[] = [];
  const { dispatch } = dispatcher;
  dispatcher.dispatch = (options, handler) => {
    if (options.path === '/registry/heartbeat') beats.push(clock.monotonic());
    return dispatch.call(dispatcher, options, handler);
  };
  await agent.start();
  const operator = operatorOf(platform);
  const texts = Array.from({ length: 40 }, (_, at) => `message ${at}`);
  for (const text of texts) {
    const sent = operator.sendMessage(workspace.workspaceId, text);
    await clock.advance(HOURS / texts.length);
    expect(await sent).toMatchObject({ status: 'answered', text: `echo: ${text}` });
  }
  expect(handled).toEqual(texts);
  expect(beats.length).toBeGreaterThanOrEqual(HOURS / 30_000);
  const pauses = [...beats, clock.monotonic()].map((at, index) => at - (beats[index - 1] ?? 0));
  expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
  expect(clock.now()).toBe(Date.UTC(2027, 0, 1, 6));
  const { state, presence, unfinished, deadLetters } = agent.health();
  expect({ state, presence, unfinished, deadLetters }).toEqual({
    state: 'running',
    presence: 'online',
    unfinished: 0,
    deadLetters: 0,
  });
  expect(await platform.statusOf(workspace.workspaceId)).toBe('online');
}

verifies('testing.closes', async () => {
  const before = openHandles();
  const platform = await createTestPlatform();
  const { workspaceId, authToken } = await platform.createWorkspace('reader');
  const client = clientOf(platform, { workspaceId, authToken }, { limits: { maxRetries: 0 } });
  await client.register();
  const held = platform.request('GET', `/workspaces/${workspaceId}/activity?wait=25`, { token: authToken });
  await platform.clock.settle();
  await platform.close();
  expect(await held).toMatchObject({ status: 200, body: [] });
  await expect(client.heartbeat()).rejects.toMatchObject({
    code: expect.stringMatching(/connection_failed|client_closed/),
  });
  await platform.close();
  expect(openHandles()).toEqual(before);
});
