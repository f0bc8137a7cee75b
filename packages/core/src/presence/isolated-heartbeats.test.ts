import workers from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { SELF, TOKEN } from '../../test/agent-ids.ts';
import { HeartbeatServer } from '../../test/heartbeat-server.ts';
import { MemoryTokenStore } from '../credentials/token-store.ts';
import { RemoteAgentClient } from '../remote-agent-client/remote-agent-client.ts';
import { type RecordingLogger, recordingLogger } from '../testing/recording-logger.ts';
import type { HeartbeatLoopRunOptions, LoopOutcome } from './run-heartbeat-loop.ts';

interface Running {
  readonly server: HeartbeatServer;
  readonly client: RemoteAgentClient;
  readonly store: MemoryTokenStore;
  readonly logger: RecordingLogger;
  readonly outcome: Promise<LoopOutcome>;
  stop(): Promise<LoopOutcome>;
}

/** A heartbeat loop whose worker thread has sent a heartbeat. */
async function running(options: HeartbeatLoopRunOptions = {}): Promise<Running> {
  const server = await HeartbeatServer.start();
  const logger = recordingLogger();
  const store = new MemoryTokenStore(TOKEN);
  const client = new RemoteAgentClient({
    workspaceId: SELF,
    platformUrl: server.url,
    tokenStore: store,
    logger,
    orgId: 'org-1',
  });
  const abort = new AbortController();
  const outcome = client.runHeartbeatLoop({ heartbeatIntervalMs: 1_000, signal: abort.signal, ...options });
  const stop = (): Promise<LoopOutcome> => {
    abort.abort();
    return outcome;
  };
  onTestFinished(async () => {
    await stop();
    await client.close();
    await server[Symbol.asyncDispose]();
  });
  await server.received(2);
  return { server, client, store, logger, outcome, stop };
}

it('heartbeats go on while the event loop is blocked', async () => {
  const { server } = await running();
  server.blockUntil(3);
  await server.received(2);
  const seen = await server.seen();
  const [first] = seen;
  expect(seen.length).toBeGreaterThanOrEqual(7);
  for (const { path, headers } of seen) {
    expect(path).toBe('/registry/heartbeat');
    expect(headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      'x-molecule-org-id': 'org-1',
      'x-workspace-id': SELF,
      origin: first?.headers.origin,
      'content-type': 'application/json',
    });
  }
  expect(seen.every(({ body }) => body.workspace_id === SELF && body.runtime_state === '')).toBe(true);
  const lags = seen.map(
    ({ body }) => (body.runtime_metadata as { event_loop_lag_ms: number }).event_loop_lag_ms,
  );
  expect(lags[0]).toBeLessThan(2_000);
  expect(Math.max(...lags)).toBeGreaterThan(2_000);
});

it('an agent that is blocked for too long is reported as wedged, and no longer when it runs again', async () => {
  const { server, logger } = await running({ maxBlockMs: 1_500 });
  server.blockUntil(7);
  await server.received(2);
  const seen = await server.seen();
  const states = seen.map(({ body }) => body.runtime_state);
  expect(states).toContain('wedged');
  for (const { body } of seen) {
    const reason = /^A handler has blocked the event loop for [1-9]\d* s\.$/;
    expect(body.sample_error).toMatch(body.runtime_state === 'wedged' ? reason : /^$/);
  }
  expect(states.at(-1)).toBe('');
  expect(states.slice(0, states.indexOf('wedged')).every((state) => state === '')).toBe(true);
  expect(states.filter((state) => state === 'wedged').length).toBeGreaterThan(2);
  expect(logger.messages('warn')).toEqual([
    'The event loop was blocked for so long that the agent was reported as wedged.',
  ]);
});

/** Replaces the class that threads are made of, until the end of the test; returns the threads for heartbeats. */
function watchWorkers(onStart: (options: workers.WorkerOptions) => void = () => {}): workers.Worker[] {
  const { Worker } = workers;
  const started: workers.Worker[] = [];
  workers.Worker = class extends Worker {
    constructor(...[file, options]: ConstructorParameters<typeof Worker>) {
      if (options?.name === 'molecule-heartbeats') onStart(options);
      super(file, options);
      if (options?.name === 'molecule-heartbeats') started.push(this);
    }
  };
  onTestFinished(() => {
    workers.Worker = Worker;
  });
  return started;
}

it('a token that was replaced is not repeated', async () => {
  const { server, client, store } = await running();
  await server.respond({ status: 200, body: { status: 'registered', auth_token: 'token-2' } });
  await client.register();
  const before = server.count;
  server.blockUntil(2);
  const seen = (await server.seen()).slice(before);
  expect(await store.load()).toBe('token-2');
  expect(seen.map(({ headers }) => headers.authorization)).toEqual(seen.map(() => 'Bearer token-2'));
});

it.each([
  ['removed', { status: 410, body: { error: 'workspace removed', id: SELF, removed_at: null } }],
  ['paused', { status: 200, body: { status: 'ok', workspace_status: 'paused', paused: true } }],
] as const)(
  'a workspace that was %s while the event loop was blocked: the loop ends',
  async (outcome, response) => {
    const loop = await running();
    await loop.server.respond(response);
    loop.server.blockUntil(1);
    expect(await loop.outcome).toBe(outcome);
  },
);

it('no heartbeat is sent after the end of the loop', async () => {
  const threads = watchWorkers();
  const { server, stop } = await running();
  expect(await stop()).toBe('stopped');
  const { count } = server;
  server.block(3_500);
  expect(server.count).toBe(count);
  expect(threads).toHaveLength(1);
  expect(threads[0]?.threadId).toBe(-1);
});

it('no heartbeat is sent after the client was closed, even if nothing stops the loop', async () => {
  const threads = watchWorkers();
  const { server, client } = await running();
  await client.close();
  const { count } = server;
  server.block(3_500);
  expect(server.count).toBe(count);
  expect(threads[0]?.threadId).toBe(-1);
});

it('a worker that ends is replaced, with one warning and without a gap', async () => {
  const threads = watchWorkers();
  const { server, logger } = await running();
  await threads[0]?.terminate();
  await server.received(2);
  expect(logger.messages('warn')).toEqual([
    'The worker thread for heartbeats has ended; they are sent from the main thread meanwhile.',
  ]);
  await server.received(2);
  expect(threads).toHaveLength(2);
  server.blockUntil(2);
});

it('where no worker can start, heartbeats come from the main thread, with one warning', async () => {
  const threads = watchWorkers(() => {
    throw new Error('not allowed');
  });
  const { server, logger } = await running();
  await server.received(2);
  expect(threads).toEqual([]);
  expect(logger.messages('warn')).toEqual([
    'Heartbeats are sent from the main thread, because no worker thread can start.',
  ]);
});

it('isolateHeartbeat: false starts no worker', async () => {
  const threads = watchWorkers();
  await running({ isolateHeartbeat: false });
  expect(threads).toEqual([]);
});

it('the token is neither in the environment nor in the data of the worker', async () => {
  const options: workers.WorkerOptions[] = [];
  watchWorkers((given) => options.push(given));
  await running();
  expect(options).toMatchObject([{ eval: true, execArgv: [], argv: [] }]);
  expect(options[0]).not.toHaveProperty('workerData');
  expect(JSON.stringify(options)).not.toContain(TOKEN);
});
