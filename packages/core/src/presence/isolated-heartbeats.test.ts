import workers from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TOKEN } from '../../test/agent-ids.ts';
import { HeartbeatServer, type SeenHeartbeat } from '../../test/heartbeat-server.ts';
import { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import { MemoryTokenStore } from '../credentials/token-store.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import type { LoopOutcome } from './presence-machine.ts';
import type { HeartbeatLoopRunOptions } from './run-heartbeat-loop.ts';

let server: HeartbeatServer;
let loops = 0;
const endings: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await HeartbeatServer.start();
});
afterAll(async () => {
  await Promise.all(endings.map((end) => end()));
  await server[Symbol.asyncDispose]();
});

/** Starts a heartbeat loop of a workspace of its own. */
async function start(options: HeartbeatLoopRunOptions = {}) {
  loops += 1;
  const id = `5f0c7a5e-2d6b-4b9f-9f0a-${String(loops).padStart(12, '0')}`;
  await server.watch(id);
  const logger = recordingLogger();
  const client = new RemoteAgentClient({
    workspaceId: id,
    platformUrl: server.url,
    storage: { tokenStore: new MemoryTokenStore(TOKEN) },
    logger,
    orgId: 'org-1',
  });
  const abort = new AbortController();
  const outcome = client.runHeartbeatLoop({ heartbeatIntervalMs: 1_000, signal: abort.signal, ...options });
  const stop = (): Promise<LoopOutcome> => {
    abort.abort();
    return outcome;
  };
  endings.push(() => stop().then(() => client.close()));
  return { id, client, logger, outcome, stop };
}

/** Calls `onStart` with the options of each thread for heartbeats that starts until `restore()`. */
function watchWorkers(onStart: (options: workers.WorkerOptions, thread: () => workers.Worker) => void) {
  const { Worker } = workers;
  workers.Worker = class extends Worker {
    constructor(...[file, options]: ConstructorParameters<typeof Worker>) {
      if (options?.name === 'molecule-heartbeats') onStart(options, () => this);
      super(file, options);
    }
  };
  return () => {
    workers.Worker = Worker;
  };
}

describe('while the event loop is blocked', () => {
  type Loop = Awaited<ReturnType<typeof start>>;
  const threads: { readonly options: workers.WorkerOptions; readonly thread: () => workers.Worker }[] = [];
  let [plain, wedged, renewed, removed, paused, stopped, closed, own]: Loop[] = [];
  let ofQuiet: readonly number[];
  let during: ReadonlyMap<Loop | undefined, readonly SeenHeartbeat[]>;

  /** Blocks the event loop once, for all of them. */
  beforeAll(async () => {
    const restore = watchWorkers((options, thread) => threads.push({ options, thread }));
    const all = await Promise.all([
      start(),
      start({ isolateHeartbeat: { maxBlockMs: 1_000 } }),
      start(),
      start(),
      start(),
      start(),
      start(),
      start({ isolateHeartbeat: false }),
    ]);
    [plain, wedged, renewed, removed, paused, stopped, closed, own] = all;
    // The first heartbeat does not wait for the worker.
    await Promise.all(all.map(({ id }) => server.received(id, 2)));
    const idsOf = (...loops: (Loop | undefined)[]) => loops.map((loop) => loop?.id ?? '');
    const [plainId = '', renewedId = '', removedId = '', pausedId = ''] = idsOf(
      plain,
      renewed,
      removed,
      paused,
    );
    const state = { status: 'registered', workspace_status: 'online', paused: false };
    await server.respond(renewedId, { status: 200, body: { ...state, auth_token: 'token-2' } });
    await renewed?.client.register();
    await stopped?.stop();
    await closed?.client.close();
    const before = await Promise.all(all.map(({ id }) => server.seen(id)));
    // From here to the end of the block nothing else runs in this thread.
    const gone = { error: 'workspace removed', id: removedId, removed_at: null };
    void server.respond(removedId, { status: 410, body: gone });
    void server.respond(pausedId, {
      status: 200,
      body: { ...state, workspace_status: 'paused', paused: true },
    });
    const each = Object.fromEntries([plainId, renewedId, removedId, pausedId].map((id) => [id, 1]));
    server.blockUntil({ ...each, [`${wedged?.id} wedged`]: 1 });
    // What was sent before the block has come by now.
    const quiet = idsOf(stopped, closed, own);
    const counts = quiet.map((id) => server.count(id));
    server.blockUntil({ [plainId]: 1, [renewedId]: 1 });
    ofQuiet = quiet.map((id, at) => server.count(id) - (counts[at] ?? 0));
    const seen = await Promise.all(all.map(({ id }) => server.seen(id)));
    during = new Map(all.map((loop, at) => [loop, (seen[at] ?? []).slice(before[at]?.length)]));
    restore();
  });

  it('heartbeats go on', () => {
    const heartbeats = during.get(plain) ?? [];
    expect(heartbeats.length).toBeGreaterThanOrEqual(2);
    for (const { headers, body } of heartbeats) {
      expect(headers).toMatchObject({
        authorization: `Bearer ${TOKEN}`,
        'x-molecule-org-id': 'org-1',
        'x-workspace-id': plain?.id,
        origin: server.url,
        'content-type': 'application/json',
      });
      expect(body).toMatchObject({ workspace_id: plain?.id, runtime_state: '' });
    }
  });

  it('the next heartbeat reports how long it was blocked', async () => {
    const { id = '' } = plain ?? {};
    const largestLag = async () => {
      const reports = (await server.seen(id)).map(({ body }) => body.runtime_metadata);
      return Math.max(...reports.map((report) => Number(Reflect.get(Object(report), 'event_loop_lag_ms'))));
    };
    while ((await largestLag()) < 1_000) await server.received(id, 1);
  });

  it('an agent that is blocked for too long is reported as wedged, and no longer when it runs again', async () => {
    const { id = '', logger } = wedged ?? {};
    const states = (during.get(wedged) ?? []).map(({ body }) => [body.runtime_state, body.sample_error]);
    const reason = expect.stringMatching(/^A handler has blocked the event loop for [1-9]\d* s\.$/);
    expect(states).toContainEqual(['wedged', reason]);
    const last = async () => (await server.seen(id)).at(-1)?.body;
    while ((await last())?.runtime_state !== '') await server.received(id, 1);
    expect(await last()).toMatchObject({ sample_error: '' });
    // Logged after the response to a heartbeat, of which the server does not know when it was read.
    while (logger?.messages('warn').length === 0) await server.received(id, 1);
    expect(logger?.messages('warn')).toEqual([
      'The event loop was blocked for so long that the agent was reported as wedged.',
    ]);
  });

  it('a token that was replaced is not repeated', () => {
    expect(during.get(renewed)?.at(-1)?.headers.authorization).toBe('Bearer token-2');
  });

  it('the loop of a workspace that was removed or paused ends', async () => {
    expect([await removed?.outcome, await paused?.outcome]).toEqual(['removed', 'paused']);
  });

  it('no heartbeat comes from a loop that was stopped, whose client was closed, or that has no worker', async () => {
    expect(ofQuiet).toEqual([0, 0, 0]);
    expect([await stopped?.outcome, await closed?.outcome]).toEqual(['stopped', 'stopped']);
  });

  it('one thread sends all of them; the token is neither in its environment nor in its data', () => {
    expect(threads.map(({ options }) => options)).toMatchObject([{ eval: true, execArgv: [], argv: [] }]);
    expect(threads[0]?.options).not.toHaveProperty('workerData');
    expect(JSON.stringify(threads[0]?.options)).not.toMatch(new RegExp(`${TOKEN}|token-2`));
  });

  it('a thread that ends is replaced, with one warning for each agent and without a gap', async () => {
    const restore = watchWorkers((options, thread) => threads.push({ options, thread }));
    const { id = '', logger } = plain ?? {};
    await threads[0]?.thread().terminate();
    await server.received(id, 1);
    expect(logger?.messages('warn')).toEqual([
      'The worker thread for heartbeats has ended; they are sent from the main thread meanwhile.',
    ]);
    while (threads.length < 2) await server.received(id, 1);
    restore();
  });

  it('the thread ends with the last agent', async () => {
    await Promise.all(endings.splice(0).map((end) => end()));
    expect(threads.map(({ thread }) => thread().threadId)).toEqual([-1, -1]);
  });
});

it('where no thread can start, heartbeats come from the main thread, with one warning', async () => {
  const restore = watchWorkers(() => {
    throw new Error('not allowed');
  });
  const { id, logger } = await start();
  await server.received(id, 2);
  restore();
  expect(logger.messages('warn')).toEqual([
    'Heartbeats are sent from the main thread, because no worker thread can start.',
  ]);
});
