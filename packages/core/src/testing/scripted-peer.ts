import type { InboundMessage } from '@molecule-ai/protocol';
import type { RemoteAgentOptions } from '../agent/agent-options.ts';
import type { HandlerContext, MessageHandler } from '../agent/handlers.ts';
import { createRemoteAgent, type RemoteAgent } from '../agent/remote-agent.ts';
import { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import { clientPort } from '../client/client-port.ts';
import { type NewWorkspace, OperatorClient } from '../client/operator-client.ts';
import { MemoryTokenStore } from '../credentials/token-store.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import type { AnswerContent, HandlerAnswer } from '../inbound/handler.ts';
import { MemoryInboundStore } from '../inbound/inbound-store.ts';
import { silentLogger } from '../logging/logger.ts';
import type { RemoteAgentClientOptions } from '../settings/client-settings.ts';
import type { RequestDispatcher } from '../settings/connection-settings.ts';
import { given, type OptionsOf, optionsSchema, parseOptions } from '../settings/options.ts';
import type { Clock } from '../time/clock.ts';
import { orAborted } from '../time/linked-abort.ts';
import { temporaryState } from './temporary-state.ts';

/** The latest messages are kept. */
const MAX_RECEIVED = 10_000;

/** The options that a client otherwise reads from the environment, which is that of the application under test. */
const UNSET = { origin: '', reportedUrl: '', adminToken: '' } as const;

/** What a scripted peer does with a message. Times are of the clock of its client, in milliseconds. */
export type PeerAnswer =
  /** Answers with this text. */
  | string
  /** Answers with a text, parts, metadata or questions. */
  | AnswerContent
  /** Says nothing: the sender learns `unanswered`. */
  | null
  /** The sender learns `failed`, with this text. `code` @default 'handler_failed' */
  | { readonly fail: string; readonly code?: string | undefined }
  /** The handler throws this, and is tried again: five attempts with pauses of 1, 4, 16 and 64 s. */
  | { readonly error: unknown }
  /** Asks its sender this question; the answer to it is the next message. */
  | { readonly ask: string }
  /** Streams these pieces, with a pause before each but the first. `everyMs` @default 0 */
  | { readonly stream: readonly string[]; readonly everyMs?: number | undefined }
  /** Does this later. */
  | { readonly afterMs: number; readonly answer: PeerAnswer }
  /** Works until the message is cancelled or expires, or the peer is stopped. */
  | { readonly never: true }
  | MessageHandler;

/** A platform, by the options of its clients: what `createTestPlatform()` returns, or a platform that runs elsewhere. */
export interface TestConnection {
  readonly platformUrl: string;
  /** `null` for a platform in dev mode. */
  readonly operatorKey: string | null;
  /** Of a platform with an organisation. */
  readonly orgId?: string | undefined;
  readonly connection?: TestConnectionParts | undefined;
}

/** How the clients of a test reach a platform, and their time. */
export interface TestConnectionParts {
  readonly dispatcher?: RequestDispatcher | undefined;
  readonly clock?: TestClock | undefined;
}

/** A clock that a test may move. */
export interface TestClock extends Clock {
  /** Moves on until the condition holds. */
  advanceUntil?(condition: () => boolean): Promise<void>;
}

class ScriptedPeerShape {
  /** @default 'peer' */
  name = given<string>();
  /** What it does with each message. @default it answers `ok` */
  answer = given<PeerAnswer>();
  /**
   * What it does with one message after the other, in this order; a message that is tried again takes the next one as well. The
   * last one is repeated. Instead of `answer`.
   */
  script = given<readonly [PeerAnswer, ...PeerAnswer[]]>();
  /** Its role, its parent and the like. */
  workspace = given<Omit<NewWorkspace, 'name'>>();
  /** Of its client, for example a `dispatcher` with faults. */
  client = given<RemoteAgentClientOptions>();
  /** Of its agent, for example its `delivery`. */
  agent = given<Omit<Partial<RemoteAgentOptions>, 'client' | 'onMessage'>>();
}

export interface ScriptedPeerOptions extends OptionsOf<ScriptedPeerShape> {}

const SCRIPTED_PEER = optionsSchema(new ScriptedPeerShape());

/** Another agent of the organisation, whose answers a test decides. It is an agent like any other. */
export interface ScriptedPeer extends AsyncDisposable {
  /** Of its workspace. */
  readonly id: string;
  readonly client: RemoteAgentClient;
  readonly agent: RemoteAgent;
  /**
   * The messages that it was given, the latest 10 000; one that was tried again is here again. Late answers to its own messages are
   * here too, and take nothing of the script.
   */
  readonly received: readonly InboundMessage[];
  /** Replaces the script from now on. */
  script(...answers: readonly [PeerAnswer, ...PeerAnswer[]]): void;
  /**
   * Ends it without waiting for what it works on; a clock that a test moves is moved by the second or so that this may take. Its
   * workspace stays, offline after a while. Idempotent.
   */
  stop(): Promise<void>;
}

/**
 * Creates a workspace and an agent in it, which has registered and reads its messages when this resolves. Nothing of it stays on
 * disk.
 * @throws what `OperatorClient.createWorkspace` and `agent.start()` throw.
 *
 * @example
 * await using peer = await scriptedPeer(platform, { name: 'clerk', script: [{ error: new Error('busy') }, 'Filed.'] });
 * const reply = client.callPeer(peer.id, 'File this.');
 */
export async function scriptedPeer(
  platform: TestConnection,
  options: ScriptedPeerOptions = {},
): Promise<ScriptedPeer> {
  parseOptions('scriptedPeer', SCRIPTED_PEER, options);
  const { platformUrl, operatorKey, connection, orgId = '' } = platform;
  const shared = { platformUrl, orgId, logger: silentLogger };
  await using operator = new OperatorClient({ ...shared, origin: '', operatorKey, connection });
  const { name = 'peer', workspace } = options;
  const { id, authToken } = await operator.createWorkspace({ ...workspace, name });
  const state = temporaryState();
  const client = new RemoteAgentClient({
    ...shared,
    ...UNSET,
    agentCard: { name },
    ...options.client,
    connection: { ...connection, allowPeerNetworks: [], ...options.client?.connection },
    storage: { ...state.storage, tokenStore: new MemoryTokenStore(), ...options.client?.storage },
    workspaceId: id,
    authToken: authToken ?? '',
  });
  let answers = options.script ?? [options.answer === undefined ? 'ok' : options.answer];
  let next = 0;
  const received: InboundMessage[] = [];
  const note = (message: InboundMessage): void => {
    received.push(message);
    if (received.length > MAX_RECEIVED) received.shift();
  };
  const nextAnswer = (): PeerAnswer => {
    const answer = answers[Math.min(next, answers.length - 1)] ?? null;
    next += 1;
    return answer;
  };
  const agent = createRemoteAgent({
    store: new MemoryInboundStore(),
    ...options.agent,
    client,
    onMessage: (message, context) => {
      note(message);
      return giveAnswer(nextAnswer(), message, context);
    },
    onAnswer: ({ kind, message }, context) => {
      note(message);
      return kind === 'late' ? null : giveAnswer(nextAnswer(), message, context);
    },
  });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      const stopped = agent.stop({ timeoutMs: 0 });
      await connection?.clock?.advanceUntil?.(() => agent.state === 'stopped');
      await stopped;
      await client.close();
      state.remove();
    })();
    return stopping;
  };
  try {
    await agent.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    id,
    client,
    agent,
    received,
    script: (...replaced) => {
      answers = replaced;
      next = 0;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Handles a message as a script says. */
async function giveAnswer(
  answer: PeerAnswer,
  message: InboundMessage,
  context: HandlerContext,
): Promise<HandlerAnswer> {
  if (typeof answer === 'function') return answer(message, context);
  if (answer === null || typeof answer === 'string') return answer;
  if ('fail' in answer) throw new MessageFailure(answer.fail, { code: answer.code });
  if ('error' in answer) throw answer.error;
  if ('ask' in answer) return { text: '', questions: [{ kind: 'text', text: answer.ask, from: 'sender' }] };
  const { signal, client } = context;
  if ('stream' in answer) return pieces(answer, context);
  if ('afterMs' in answer) {
    await clientPort(client).clock.sleep(answer.afterMs, { signal });
    return giveAnswer(answer.answer, message, context);
  }
  if (!('never' in answer)) return answer;
  return orAborted(new Promise<never>(() => {}), signal);
}

async function* pieces(
  { stream, everyMs = 0 }: Extract<PeerAnswer, { stream: unknown }>,
  { client, signal }: HandlerContext,
): AsyncGenerator<string> {
  for (const [at, text] of stream.entries()) {
    if (at > 0 && everyMs > 0) await clientPort(client).clock.sleep(everyMs, { signal });
    yield text;
  }
}
