import {
  createRemoteAgent,
  MemoryInboundStore,
  MemoryTokenStore,
  RemoteAgentClient,
  type RemoteAgentOptions,
  type RequestDispatcher,
} from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { OperatorClient } from '@molecule-ai/core/operator';
import { type ChaosRule, chaos, recordingLogger, scriptedPeer } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { type AgentRequest, type AgentScript, ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { onboard } from './harness/members.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const MINUTE = 60_000;
const WORKSPACE = 'ab000000-0000-4000-8000-000000000001';
const CAPABILITIES = 'acknowledge,long-poll,outcomes';

type Read = (request: AgentRequest) => ReturnType<AgentScript>;

/** A platform that accepts heartbeats, and whose feed a test decides. */
async function startWith(
  environment: TestEnvironment,
  read: Read,
  options: Partial<RemoteAgentOptions> = {},
) {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const feed = { read, probes: [] as { messageId: string; text: string }[] };
  const script: AgentScript = (request) => {
    const headers = { 'x-molecule-capabilities': CAPABILITIES };
    const capabilities = CAPABILITIES.split(',');
    const { path, method } = request;
    if (path.includes('/activity/ack')) {
      const body = { status: 'acknowledged', up_to: null, seq: 0, acknowledged: 0, outcomes: [] };
      return { kind: 'json', body, headers };
    }
    if (path.includes('/activity')) return feed.read(request);
    if (method === 'POST' && path === `/workspaces/${WORKSPACE}/a2a`) {
      const { params } = request.body as { params: { message: { messageId: string } } };
      feed.probes.push({ messageId: params.message.messageId, text: request.text });
      return {
        kind: 'json',
        status: 202,
        body: { status: 'queued', delivery_mode: 'poll', method: 'message/send' },
        headers,
      };
    }
    const common = { workspace_id: WORKSPACE, capabilities };
    const body = path.includes('register')
      ? {
          ...common,
          status: 'registered',
          id: WORKSPACE,
          delivery_mode: 'poll',
          org_id: null,
          issuer: null,
          expires_at: null,
        }
      : { ...common, status: 'ok', workspace_status: 'online', paused: false, deleted: false, pending: 0 };
    return { kind: 'json', body, headers };
  };
  const server = await environment.scriptedAgent({ script });
  const identity = { id: WORKSPACE, token: 'a-token-of-a-workspace' };
  const client = environment.client(server, identity, {
    connection: { clock },
    logger,
    storage: { tokenStore: new MemoryTokenStore() },
  });
  const handled: string[] = [];
  const agent = createRemoteAgent({
    client,
    store: new MemoryInboundStore(),
    onMessage: ({ text }) => void handled.push(text),
    ...options,
  });
  environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
  const events: string[] = [];
  agent.on('degraded', (reason) => events.push(`degraded ${reason}`));
  agent.on('recovered', (reason) => events.push(`recovered ${reason}`));
  await agent.start();
  return { agent, clock, events, feed, handled, logger };
}

const empty: Read = (request) => {
  const wait = new URL(request.path, 'http://platform').searchParams.get('wait');
  const headers = {
    'x-molecule-capabilities': CAPABILITIES,
    ...(wait === null ? {} : { 'x-wait-applied': wait }),
  };
  return { kind: 'json', body: [], headers };
};

/** What happens to reads of the feed, while heartbeats succeed. */
const BROKEN = [
  { fault: 'html' },
  { fault: 'status', status: 500 },
  { fault: 'delay', ms: Number.POSITIVE_INFINITY },
  { fault: 'truncate' },
] as const satisfies readonly ChaosRule[];

verifies('agent.half-dead.feed', async () => {
  await using platform = await createTestPlatform();
  const { clock } = platform;
  for (const broken of BROKEN) {
    const dispatcher = chaos(platform.connection.dispatcher, { seed: 1, clock });
    await using peer = await scriptedPeer(platform, { client: { connection: { dispatcher } } });
    const { agent } = peer;
    const events: string[] = [];
    agent.on('degraded', (reason) => events.push(`degraded ${reason}`));
    agent.on('recovered', (reason) => events.push(`recovered ${reason}`));
    await clock.advance(5_000);
    expect(agent.health(), broken.fault).toMatchObject({ ok: true, consecutiveHeartbeatFailures: 0 });
    dispatcher.rules = [{ ...broken, method: 'GET', path: '/workspaces/:id/activity' }];
    clock.jump(60 * MINUTE);
    await clock.advance(3 * MINUTE);
    const health = agent.health();
    expect(health, broken.fault).toMatchObject({
      ok: false,
      degradedReasons: ['inbound-stale'],
      consecutiveHeartbeatFailures: 0,
    });
    expect(health.inboundAgeMs).toBeGreaterThan(2 * MINUTE);
    expect(health.inboundAgeMs).toBeLessThan(4 * MINUTE);
    dispatcher.rules = [];
    // A read that hangs ends first. Tokens are verified in another thread, for which the clock does not wait.
    await clock.advanceUntil(() => agent.health().ok, { stepMs: 5_000, limitMs: 5 * MINUTE });
    expect(agent.health(), broken.fault).toMatchObject({ ok: true, degradedReasons: [] });
    expect(events).toEqual(['degraded inbound-stale', 'recovered inbound-stale']);
  }
});

verifies('agent.half-dead.probe', 'half dead: push', async () => {
  await using platform = await createTestPlatform();
  const { clock } = platform;
  const operator = new OperatorClient(platform);
  const workspace = await platform.createWorkspace('pushed');
  const logger = recordingLogger();
  const reportedUrl = 'http://agent.test/';
  const client = new RemoteAgentClient({ ...platform, ...workspace, reportedUrl, logger });
  const store = new MemoryInboundStore();
  const onMessage = ({ text }: { text: string }) => text;
  const agent = createRemoteAgent({
    client,
    store,
    delivery: 'push',
    presence: { probeAfterMs: MINUTE },
    onMessage,
  });
  const handler = createInboundHandler(agent);
  // Tokens are signed and verified in another thread, for which the clock has to wait.
  const probing = new Set<Promise<unknown>>();
  const port = clientPort(client);
  const { probe } = port;
  port.probe = (...query) => {
    const asked = probe(...query);
    probing.add(asked);
    return asked;
  };
  const pass = async (minutes: number) => {
    for (let second = 0; second < minutes * 60; second += 1) {
      await clock.advance(1_000);
      await Promise.allSettled(probing);
    }
  };
  const events: string[] = [];
  agent.on('degraded', (reason) => events.push(`degraded ${reason}`));
  agent.on('recovered', (reason) => events.push(`recovered ${reason}`));
  let stopServing = platform.serve(reportedUrl, handler);
  await agent.start();
  await pass(3);
  expect([events, agent.health().ok]).toEqual([[], true]);
  for (const recover of ['probe', 'push']) {
    await stopServing();
    await pass(3);
    expect(events, recover).toEqual(['degraded inbound-dead']);
    expect(agent.health()).toMatchObject({ ok: false, consecutiveHeartbeatFailures: 0 });
    stopServing = platform.serve(reportedUrl, handler);
    if (recover === 'push') {
      const asked = operator.sendMessage(workspace.workspaceId, 'are you there?');
      await clock.settle();
      expect(await asked).toMatchObject({ status: 'answered' });
    } else await pass(1);
    expect(events.splice(0)).toEqual(['degraded inbound-dead', 'recovered inbound-dead']);
    expect(agent.health().ok).toBe(true);
  }
  const warnings = logger.lines.filter(({ level }) => level === 'warn');
  expect(warnings.map(({ fields }) => fields)).toMatchObject([
    { reason: expect.any(String), error: { hint: expect.any(String) } },
    { reason: expect.any(String), error: { hint: expect.any(String) } },
  ]);
  await agent.stop();
  await Promise.all([client.close(), operator.close()]);
});

verifies('agent.recovers-from-outages', 'one broken response', async () => {
  await using platform = await createTestPlatform();
  const { clock } = platform;
  const broken = [
    { rule: { fault: 'status', status: 500, times: 1 }, heldMs: 0 },
    { rule: { fault: 'truncate', bytes: 1, ending: 'end', times: 1 }, heldMs: 25_000 },
  ] as const;
  for (const { rule, heldMs } of broken) {
    const dispatcher = chaos(platform.connection.dispatcher, { seed: 1, clock });
    const reads: number[] = [];
    const seen: RequestDispatcher = {
      dispatch: (request, handler) => {
        if (request.path.includes('/activity?')) reads.push(clock.monotonic());
        return dispatcher.dispatch(request, handler);
      },
    };
    await using peer = await scriptedPeer(platform, { client: { connection: { dispatcher: seen } } });
    await clock.advance(5_000);
    const before = reads.length;
    dispatcher.rules = [{ ...rule, method: 'GET', path: '/workspaces/:id/activity' }];
    await clock.advance(60_000);
    const [failed = 0, next = 0] = reads.slice(before);
    expect(next - failed, rule.fault).toBeLessThanOrEqual(heldMs + 1_000);
    expect(peer.agent.health().ok).toBe(true);
  }
});

verifies('agent.ends-with-its-client', async () => {
  await using platform = await createTestPlatform();
  const workspace = await platform.createWorkspace('worker');
  const operator = new OperatorClient(platform);
  const store = new MemoryInboundStore();
  const logger = recordingLogger();
  const handled: string[] = [];
  let requests = 0;
  const dispatcher: RequestDispatcher = {
    dispatch: (request, handler) => {
      requests += 1;
      return platform.connection.dispatcher.dispatch(request, handler);
    },
  };
  const client = new RemoteAgentClient({
    ...platform,
    ...workspace,
    connection: { ...platform.connection, dispatcher },
    logger,
  });
  const agent = createRemoteAgent({
    client,
    store,
    onMessage: async ({ text }, { signal }) => {
      handled.push(text);
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  await agent.start();
  const asked = operator.sendMessage(workspace.workspaceId, 'work');
  await platform.clock.settle();
  const sent = requests;
  await client.close();
  expect(await agent.closed).toBe('stopped');
  await platform.clock.advance(5 * MINUTE);
  const { messageId } = await asked;
  expect([handled, requests]).toEqual([['work'], sent]);
  expect(logger.lines.filter(({ level }) => level === 'error' || level === 'warn')).toMatchObject([
    { level: 'error', fields: { error: { code: 'client_closed' } } },
  ]);
  const again = new RemoteAgentClient({ ...platform, ...workspace });
  const next = createRemoteAgent({ client: again, store, onMessage: ({ text }) => `done: ${text}` });
  await next.start();
  await platform.clock.settle();
  expect(await operator.waitForAnswer(workspace.workspaceId, messageId)).toMatchObject({
    text: 'done: work',
  });
  await next.stop();
  await Promise.all([again.close(), operator.close()]);
});

onEachDatabase('an agent that is half dead', { onDisk: true }, (environment) => {
  verifies('agent.half-dead.probe', 'half dead: probe', async () => {
    const { agent, clock, events, feed, handled, logger } = await startWith(environment, empty, {
      delivery: 'poll',
    });
    await clock.advance(59 * MINUTE);
    expect(feed.probes).toEqual([]);
    await clock.advance(13 * MINUTE);
    expect(feed.probes).toHaveLength(2);
    expect(agent.health()).toMatchObject({ ok: false, degradedReasons: ['inbound-dead'] });
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    const row = ({ messageId, text }: { messageId: string; text: string }, id: string) => ({
      id,
      seq: 1,
      type: 'a2a_receive',
      method: 'message/send',
      source: 'peer_agent',
      source_id: WORKSPACE,
      message_id: messageId,
      request_body: JSON.parse(text),
      created_at: new Date(clock.now()).toISOString(),
    });
    const [probe] = feed.probes;
    // A peer that knows the id proves nothing, and reaches the handler like anybody.
    const forged = {
      ...row(probe ?? { messageId: '', text: '{}' }, 'row-1'),
      source_id: WORKSPACE.replace('ab', 'cd'),
    };
    const late = row(feed.probes[1] ?? { messageId: '', text: '{}' }, 'row-2');
    feed.read = () => ({ kind: 'json', body: [late], headers: { 'x-molecule-capabilities': CAPABILITIES } });
    await clock.advance(10_000);
    expect(agent.health()).toMatchObject({ ok: true, inFlight: 0, unfinished: 0 });
    expect(events).toEqual(['degraded inbound-dead', 'recovered inbound-dead']);
    expect(handled).toEqual([]);
    feed.read = () => ({
      kind: 'json',
      body: [forged],
      headers: { 'x-molecule-capabilities': CAPABILITIES },
    });
    await clock.advance(10_000);
    expect(handled).toEqual(['Inbound probe']);
    feed.read = empty;
    await clock.advance(50 * MINUTE);
    expect(feed.probes).toHaveLength(2);
  });

  verifies('agent.half-dead.probe', 'half dead: probe comes back', async () => {
    const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
    const member = await onboard(platform);
    const client = environment.client(platform, member, { connection: { clock: platform.clock } });
    const handled: string[] = [];
    const agent = createRemoteAgent({
      client,
      onMessage: ({ text }) => void handled.push(text),
      presence: { probeAfterMs: MINUTE },
    });
    environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
    const events: string[] = [];
    agent.on('degraded', (reason) => events.push(reason));
    agent.on('message', () => events.push('message'));
    await agent.start();
    const rows = async () => (await client.listActivity({ type: 'a2a_receive' })).rows;
    await platform.clock.advanceUntil(async () => (await rows()).length >= 2, { limitMs: 6 * MINUTE });
    await platform.clock.advance(5_000);
    for (const { deliveryState } of await rows()) expect(deliveryState).toBe('unanswered');
    expect(handled).toEqual([]);
    expect(events).toEqual([]);
    expect(agent.health()).toMatchObject({ ok: true, inFlight: 0, unfinished: 0 });
    await agent.stop();
  });
});
