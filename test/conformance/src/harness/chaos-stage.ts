import {
  type Clock,
  createRemoteAgent,
  type HandlerContext,
  type InboundMessage,
  type InboundStore,
  MemoryInboundStore,
  MemoryTokenStore,
  MessageFailure,
  type PeerReply,
  type PeerReplyStatus,
  type RemoteAgent,
  RemoteAgentClient,
  type RequestDispatcher,
} from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { OperatorClient } from '@molecule-ai/core/operator';
import {
  type Chaos,
  type ChaosRule,
  chaos,
  type RecordingLogger,
  recordingLogger,
  type ScriptedPeer,
  scriptedPeer,
  temporaryState,
} from '@molecule-ai/core/testing';
import { createTestPlatform, type TestPlatform, type TestWorkspace } from '@molecule-ai/platform/testing';
import { findRoute } from '@molecule-ai/protocol';
import { expect, onTestFinished } from 'vitest';
import type { RandomSource } from '../endurance/plan.ts';

/** What the agent does with a message, and how it ends. */
const ENDS = {
  answer: 'answered',
  /** Says it in three pieces, half a second apart. */
  stream: 'answered',
  /** Asks a peer that it finds, and answers what that says. */
  delegate: 'answered',
  /** Asks a peer that takes a minute, and waits for its answer. */
  patience: 'answered',
  /** Throws once. */
  flaky: 'answered',
  silent: 'unanswered',
  fail: 'failed',
  ask: 'input-required',
} as const satisfies Record<string, PeerReplyStatus>;

export type Act = keyof typeof ENDS;
export const ACTS = Object.keys(ENDS) as readonly Act[];

export interface Sent {
  readonly act: Act;
  readonly messageId: string;
  readonly from: 'operator' | 'peer';
  /** What the call returned. */
  readonly reply: Promise<PeerReply>;
}

/** An agent that a supervisor starts again when it ends. */
export interface Worker {
  readonly agent: RemoteAgent;
  /** How often it was started. */
  readonly starts: number;
  /** Ends it, as fast as it can. */
  stop(): Promise<void>;
}

/** An agent whose requests have faults, and people and peers whose requests have none. */
export interface ChaosStage {
  readonly platform: TestPlatform;
  readonly workspace: TestWorkspace;
  readonly faulty: Chaos;
  /** `METHOD /path/:id` of each request of the agent that has reached the platform. */
  readonly routes: ReadonlySet<string>;
  readonly logger: RecordingLogger;
  /** The peer that sends messages to the agent, and the one that the agent asks. */
  readonly sender: ScriptedPeer;
  readonly helper: ScriptedPeer;
  /** The ids of messages whose effect happened, once for each time. */
  readonly effects: readonly string[];
  /** Starts the agent, with what an earlier one has stored. */
  start(): Promise<Worker>;
  /** Sends one message of each act from each side. @param acts default: all */
  send(round: string, acts?: readonly Act[]): Sent[];
  /** How the platform says that a message ended; `queued` before. */
  stateOf(sent: Sent): Promise<PeerReplyStatus>;
  /** Whether all have ended as their acts say. */
  haveEnded(all: readonly Sent[]): Promise<boolean>;
}

/** Served in process. */
const URL_OF_WORKER = 'https://worker.test/';
/** After which a supervisor starts an agent again. */
const RESTART_MS = 5_000;

export type Delivery = 'long-poll' | 'poll' | 'push';

export async function stageChaos(
  seed: number,
  random: RandomSource,
  delivery: Delivery = 'long-poll',
): Promise<ChaosStage> {
  const platform = await createTestPlatform();
  const { clock } = platform;
  const logger = recordingLogger();
  const operator = new OperatorClient({ ...platform, operatorKey: platform.operatorKey, logger });
  // Nobody listens at the URL of an agent that is served in process.
  const directCalls = delivery === 'push' ? 'off' : 'auto';
  const sender = await scriptedPeer(platform, {
    name: 'sender',
    client: { logger, connection: { directCalls } },
  });
  const helper = await scriptedPeer(platform, {
    name: 'helper',
    answer: async ({ text }, { client, signal }) => {
      if (text.includes('patience')) await clientPort(client).clock.sleep(60_000, { signal });
      return `helper: ${text}`;
    },
    client: { logger },
  });
  const workspace = await platform.createWorkspace('worker');
  const id = workspace.workspaceId;
  const routes = new Set<string>();
  const noting: RequestDispatcher = {
    dispatch: (request, handler) => {
      routes.add(`${request.method} ${findRoute(request.method, request.path)?.path}`);
      return platform.connection.dispatcher.dispatch(request, handler);
    },
  };
  const faulty = chaos(noting, { seed, clock });
  const effects: string[] = [];
  const store: InboundStore = new MemoryInboundStore();
  const state = temporaryState();
  const workers: Worker[] = [];
  onTestFinished(async () => {
    faulty.rules = [];
    for (const worker of workers) await worker.stop();
    await Promise.all([sender.stop(), helper.stop()]);
    await operator.close();
    await platform.close();
    state.remove();
  });

  const launch = () => {
    const client = new RemoteAgentClient({
      ...platform,
      ...workspace,
      storage: { ...state.storage, tokenStore: new MemoryTokenStore() },
      connection: { ...platform.connection, dispatcher: faulty, random },
      logger,
      ...(delivery === 'push' ? { reportedUrl: URL_OF_WORKER } : {}),
    });
    const onMessage = (message: InboundMessage, context: HandlerContext) =>
      handle(message, context, { effects, helperId: helper.id });
    const agent = createRemoteAgent({
      client,
      onMessage,
      onAnswer: () => null,
      delivery,
      store,
      concurrency: 8,
    });
    const handler = createInboundHandler(agent);
    return { client, agent, handler };
  };
  const start = async (): Promise<Worker> => {
    let running = launch();
    let starts = 0;
    let isStopped = false;
    const unserve =
      delivery === 'push' ? platform.serve(URL_OF_WORKER, (request) => running.handler(request)) : undefined;
    const run = async () => {
      const { agent, client } = running;
      starts += 1;
      await agent.start({ wait: false });
      await agent.closed.catch(() => {});
      await client.close();
      if (!isStopped) await clock.sleep(RESTART_MS);
      if (isStopped) return;
      running = launch();
      void run();
    };
    void run();
    const worker: Worker = {
      get agent() {
        return running.agent;
      },
      get starts() {
        return starts;
      },
      stop: async () => {
        isStopped = true;
        await clock.advanceUntilSettled(running.agent.stop({ timeoutMs: 0 }));
        await running.client.close();
        await unserve?.();
      },
    };
    workers.push(worker);
    return worker;
  };

  /** People read answers as they are made. */
  const operate = (act: Act, messageId: string) =>
    act === 'stream'
      ? operator.streamMessage(id, act, { messageId, contextId: messageId }).reply()
      : operator.sendMessage(id, act, { messageId, contextId: messageId });
  const stateOf: ChaosStage['stateOf'] = async ({ messageId, from }) => {
    const { status } =
      from === 'operator'
        ? await operator.getMessage(id, messageId)
        : await sender.client.getMessage(messageId);
    return status;
  };
  return {
    platform,
    workspace,
    faulty,
    routes,
    logger,
    sender,
    helper,
    effects,
    start,
    stateOf,
    send: (round, acts = ACTS) =>
      acts.flatMap((act) =>
        (['operator', 'peer'] as const).map((from) => {
          const messageId = `${round}-${act}-${from}`;
          const reply =
            from === 'operator' ? operate(act, messageId) : sender.client.callPeer(id, act, { messageId });
          // Awaited later.
          reply.catch(() => {});
          return { act, messageId, from, reply };
        }),
      ),
    haveEnded: async (all) => {
      for (const sent of all) if ((await stateOf(sent)) !== ENDS[sent.act]) return false;
      return true;
    },
  };
}

async function* pieces(clock: Clock): AsyncGenerator<string> {
  for (const piece of ['one ', 'two ', 'three']) {
    await clock.sleep(500);
    yield piece;
  }
}

async function handle(
  { text, messageId }: InboundMessage,
  { once, client, attempt }: HandlerContext,
  { effects, helperId }: { readonly effects: string[]; readonly helperId: string },
) {
  await once('effect', () => effects.push(messageId));
  switch (actIn(text)) {
    case 'answer':
      return `did ${messageId}`;
    case 'stream':
      return pieces(clientPort(client).clock);
    case 'delegate': {
      const [found] = (await client.getPeers()).filter(({ id }) => id === helperId);
      if (found === undefined) throw new Error('The helper is gone.');
      const asked = await client.callPeer(found.id, messageId, { messageId: `for-${messageId}` });
      return textOf(asked);
    }
    case 'patience': {
      const asked = await client.callPeer(helperId, messageId, { messageId: `for-${messageId}` });
      return textOf(asked.status === 'queued' ? await client.waitForAnswer(asked.messageId) : asked);
    }
    case 'flaky':
      if (attempt === 1) throw new Error('Not at first.');
      return `did ${messageId} at last`;
    case 'silent':
      return null;
    case 'fail':
      throw new MessageFailure('It cannot be done.', { code: 'impossible' });
    case 'ask':
      return { text: '', questions: [{ kind: 'text', text: 'Which one?', from: 'sender' } as const] };
  }
}

function textOf({ status, text }: PeerReply): string {
  if (status === 'answered') return text;
  throw new Error(`The helper said nothing: ${status}`);
}

/** The text of a peer is wrapped. */
function actIn(text: string): Act {
  const act = ACTS.find((each) => text.includes(each));
  if (act === undefined) throw new Error('No act.');
  return act;
}

/** What can happen to a request of an agent. */
export const FAULTS = {
  'connections that are refused': { fault: 'drop', lost: 'connection' },
  'requests that are lost': { fault: 'drop', lost: 'request' },
  'responses that are lost': { fault: 'drop', lost: 'response' },
  'requests that arrive late': { fault: 'delay', ms: [100, 30_000] },
  'responses that arrive late': { fault: 'delay', of: 'response', ms: [100, 30_000] },
  'requests that arrive twice': { fault: 'duplicate' },
  'requests that arrive again later': { fault: 'duplicate', afterMs: 20_000 },
  'requests in another order': { fault: 'reorder', withinMs: 5_000 },
  'status 429': { fault: 'status', status: 429, retryAfterSeconds: 7 },
  'status 500': { fault: 'status', status: 500 },
  'status 503': { fault: 'status', status: 503, retryAfterSeconds: 5 },
  'status 504 of requests that were processed': { fault: 'status', status: 504, isProcessed: true },
  'login pages': { fault: 'html' },
  'login pages for requests that were processed': { fault: 'html', isProcessed: true },
  'responses that break off': { fault: 'truncate' },
  'responses that end too soon': { fault: 'truncate', ending: 'end' },
  'a platform whose clock is ahead': { fault: 'skew', ms: 3_600_000 },
  'a platform whose clock is behind': { fault: 'skew', ms: -3_600_000 },
} as const satisfies Record<string, ChaosRule>;

/** Moves on until all messages have ended and the agent is well again, and checks what was promised. */
export async function endOf(
  stage: ChaosStage,
  worker: Worker,
  sent: readonly Sent[],
  what = '',
): Promise<void> {
  const { platform, workspace, effects, helper, sender } = stage;
  const isOver = async () =>
    worker.agent.health().ok && worker.agent.health().unfinished === 0 && (await stage.haveEnded(sent));
  await platform.clock.advanceUntil(isOver, { stepMs: 5_000, limitMs: 3_600_000 }).catch(async () => {
    const states = await Promise.all(sent.map(async (each) => [each.messageId, await stage.stateOf(each)]));
    expect.fail(
      `${what}: ${JSON.stringify([worker.agent.health(), states, stage.faulty.log.slice(-20)], null, 1)}`,
    );
  });
  // Late ends reach those who no longer wait.
  await platform.clock.advance(30_000);
  // Failed attempts of the last five minutes make it degraded.
  expect(await platform.statusOf(workspace.workspaceId), what).toBeOneOf(['online', 'degraded']);
  expect(worker.agent.health(), what).toMatchObject({ state: 'running', deadLetters: 0, inFlight: 0 });
  for (const { messageId, act, from, reply } of sent) {
    const times = <T>(list: readonly T[], is: (item: T) => boolean) => list.filter(is).length;
    expect(
      times(effects, (id) => id === messageId),
      `${what}: effects of ${messageId}`,
    ).toBe(1);
    if (act === 'delegate' || act === 'patience') {
      const asked = times(helper.received, (message) => message.messageId === `for-${messageId}`);
      expect(asked, `${what}: the helper was asked for ${messageId}`).toBe(1);
    }
    if (from === 'peer' && act !== 'silent') {
      const atOnce = (await reply).status === 'queued' ? 0 : 1;
      const late = times(sender.received, ({ inReplyTo }) => inReplyTo === messageId);
      expect(atOnce + late, `${what}: ends of ${messageId} that its sender got`).toBe(1);
    }
  }
}
