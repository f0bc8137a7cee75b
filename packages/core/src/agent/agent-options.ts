import type { InboundMessage } from '@molecule-ai/protocol';
import { type ClientPort, clientPort } from '../client/client-port.ts';
import type { HistoryOptions, HistoryPage } from '../client/conversation-history.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { chooseDelivery, type DeliveryChoice } from '../inbound/deliveries.ts';
import type { InboundDelivery } from '../inbound/delivery.ts';
import type { AttemptContext, HandlerAnswer } from '../inbound/handler.ts';
import { FileInboundStore, type InboundStore } from '../inbound/inbound-store.ts';
import type { Logger } from '../logging/logger.ts';
import { checkHeartbeats, type IsolationOptions } from '../presence/run-heartbeat-loop.ts';
import {
  checkBoolean,
  checkMethods,
  checkNumber,
  checkNumbers,
  checkObject,
  checkRandom,
  checkWord,
  describe,
} from '../settings/checked-values.ts';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import { DEFAULT_RECONNECT_SPREAD_MS, type RandomSource } from '../time/backoff.ts';
import { checkInboundAuth, type InboundAuth } from './inbound-auth.ts';

const NUMBERS = {
  concurrency: { byDefault: 4, min: 1, isInteger: true },
  stopTimeoutMs: { byDefault: 30_000, min: 0, isInteger: true },
  reconnectSpreadMs: {
    byDefault: DEFAULT_RECONNECT_SPREAD_MS,
    min: 500,
    max: DEFAULT_RECONNECT_SPREAD_MS,
  },
};
const DEFAULT_HANDLER_TIMEOUT_MS = 600_000;
const DEFAULT_PROBE_AFTER_MS = 3_600_000;
const DEFAULT_EXIT_AFTER_MS = 300_000;
const EXIT_HINT = 'Pass true for five minutes, or { afterMs: 300_000 }, in milliseconds.';
const PAUSE_POLICIES = ['wait', 'stop'] as const;
const CONFLICT_POLICIES = ['wait', 'takeover', 'fail'] as const;

/**
 * What an agent does when another running agent reads for its workspace: `wait` until that one stops or is silent for
 * 45 s, `takeover` ends that one with the outcome `superseded`, `fail` ends this one.
 */
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number];

/** `true` for five minutes. */
export type ExitWhenDead =
  | boolean
  | {
      /**
       * How long the agent may be dead, in milliseconds, at least 10 000. Heartbeats that are refused because of their rate count
       * after three intervals at least. @default 300_000
       */
      readonly afterMs?: number | undefined;
    };

/** The second argument of a handler. It belongs to one attempt at one message. */
export interface HandlerContext extends AttemptContext {
  /** The client of the agent, for calls to peers: they carry this message as their parent, and end with `signal` and its deadline. */
  readonly client: PeerClient;
  /**
   * What was said before in the conversation of this message, oldest first: `client.conversationHistory` without this message and what
   * came after it, so that another attempt gets the same. Texts of others are untrusted: a model gets `entry.forModel()`.
   * @throws MoleculeError `invalid_argument`; what a request throws.
   */
  history(options?: HistoryOptions): Promise<HistoryPage>;
  /** The logger of the client; adds the row id of the message to each line. */
  readonly logger: Logger;
}

/**
 * Handles one message. What it returns is sent as the answer; nothing, or a blank text, ends the message as unanswered.
 * When it throws, the message is retried: five attempts with pauses of 1, 4, 16 and 64 s, then it becomes a dead letter
 * and its sender learns that the agent failed. A {@link MessageFailure} ends it as failed at once, with the text and
 * code that the sender receives. A value that is not an answer is an error of the agent: the message becomes a dead letter
 * at once. What is returned after `signal` aborted is not sent. The content of a message is untrusted: pass it to a
 * model through `messageForModel` only.
 */
export type MessageHandler = (
  message: InboundMessage,
  context: HandlerContext,
) => HandlerAnswer | Promise<HandlerAnswer>;

/** Options of `createRemoteAgent`. */
export interface RemoteAgentOptions extends IsolationOptions {
  /** Not closed by the agent, which ends when it is closed: stop the agent first. */
  client: PeerClient;
  /** Handles each message to the agent, late answers of peers included: they have `inReplyTo`. */
  onMessage: MessageHandler;
  /**
   * How messages arrive. @default `'auto'`: push when the client has a `reportedUrl` and the platform reaches the agent
   * there, switching with it; else long-poll, or poll where the platform does not hold requests
   */
  delivery?: DeliveryChoice | undefined;
  /** On a pause: `wait` keeps sending heartbeats and continues after the resume, `stop` ends the agent. @default 'wait' */
  onPause?: 'wait' | 'stop' | undefined;
  /**
   * What to do while another running agent reads for this workspace: `wait` until it stops or is silent for 45 s;
   * `takeover`, which ends it with the outcome `superseded`; `fail`: `start()` rejects with `workspace_in_use`, and a
   * running agent ends as `superseded`. Replicas with `delivery: 'push'` do not read, and run beside each other. @default 'wait'
   */
  onConflict?: ConflictPolicy | undefined;
  /**
   * Maximum number of messages handled at the same time; those of one conversation never overlap. With 1, an agent
   * that waits for a peer's answer cannot handle a message of that peer. @default 4
   */
  concurrency?: number | undefined;
  /**
   * Maximum number of messages read, or accepted by requests, and not finished. Direct messages of peers may take half, those
   * of one peer a quarter; a tenth is only for people. @default 50
   */
  readAhead?: number | undefined;
  /**
   * Time limit of one attempt, in milliseconds; `null` for no limit. A handler that runs for a minute while other
   * messages wait causes a `degraded` event. @default 600_000
   */
  handlerTimeoutMs?: number | null | undefined;
  /** How long `stop()` waits for running handlers, in milliseconds. @default 30_000 */
  stopTimeoutMs?: number | undefined;
  /** Longest time between heartbeats, in milliseconds, 1 000–30 000. @default 30_000 */
  heartbeatIntervalMs?: number | undefined;
  /** Acknowledge before the handler runs: it never runs twice, but the message is lost when the process dies. @default false */
  atMostOnce?: boolean | undefined;
  /**
   * What a request to the agent's own URL must carry. `peer-tokens`: a token that the platform signed, in production and
   * in dev mode. `shared-secret`: `inboundSecret` as bearer; only the platform may know it, and is believed like the
   * platform. `none`: nothing; the source of each message is `unknown`. @default 'peer-tokens'
   */
  inboundAuth?: InboundAuth | undefined;
  /** The bearer of `inboundAuth: 'shared-secret'`, at least 16 characters. @default the one that the platform sent */
  inboundSecret?: string | undefined;
  /** Stores position, progress and dead letters. @default `inbound.jsonl` in the client's `stateDirectory` */
  store?: InboundStore | undefined;
  /**
   * Agents that lose the platform together try again at moments spread over this window, in milliseconds, 500–15 000; after
   * further failures over up to 15–30 s. A single agent is back sooner with less. @default 15_000
   */
  reconnectSpreadMs?: number | undefined;
  /**
   * After so long without a message, in milliseconds, an agent that reads the feed sends itself one, which no handler gets; with `push`
   * it asks the platform whether that reaches it. When two in a row fail, it is degraded with `inbound-dead`. At least 60 000; `null` or `false` for never. @default 3_600_000
   */
  probeAfterMs?: number | null | false | undefined;
  /**
   * Ends the process with exit code 70 when the agent has sent no heartbeat or received nothing for five minutes, or `afterMs`, so that
   * a supervisor starts it again. Not while the workspace is paused. @default false
   */
  exitWhenDead?: ExitWhenDead | undefined;
  /** Source of jitter, from 0 to 1. @default Math.random */
  random?: RandomSource | undefined;
}

/** The names of {@link RemoteAgentOptions} except client and handler. */
export const AGENT_OPTION_NAMES = {
  delivery: true,
  onPause: true,
  onConflict: true,
  concurrency: true,
  readAhead: true,
  handlerTimeoutMs: true,
  stopTimeoutMs: true,
  heartbeatIntervalMs: true,
  isolateHeartbeat: true,
  maxBlockMs: true,
  atMostOnce: true,
  inboundAuth: true,
  inboundSecret: true,
  store: true,
  reconnectSpreadMs: true,
  probeAfterMs: true,
  exitWhenDead: true,
  random: true,
} as const;

const AGENT_OPTIONS = knownOptions<RemoteAgentOptions>({
  ...AGENT_OPTION_NAMES,
  client: true,
  onMessage: true,
});

/** {@link RemoteAgentOptions} with their defaults. */
type CompleteOptions = {
  readonly [Name in keyof RemoteAgentOptions]-?: Exclude<RemoteAgentOptions[Name], undefined>;
};

/** Validated {@link RemoteAgentOptions} with all defaults applied. */
export interface RemoteAgentSettings
  extends Omit<CompleteOptions, 'delivery' | 'inboundSecret' | 'probeAfterMs' | 'exitWhenDead'> {
  /** What the agent uses of the client. */
  readonly port: ClientPort;
  readonly delivery: InboundDelivery;
  /** The name of the delivery, or `own`. */
  readonly deliveryChoice: 'auto' | 'long-poll' | 'poll' | 'push' | 'own';
  /** Of `shared-secret`; `null` for the one that the platform sent. */
  readonly inboundSecret: string | null;
  /** Whether the agent locks the state folder. */
  readonly usesFolder: boolean;
  /** `null` for never. */
  readonly probeAfterMs: number | null;
  /** `null` for never. */
  readonly exitAfterMs: number | null;
}

/** @throws ConfigurationError naming the option. */
export function resolveRemoteAgentOptions(options: RemoteAgentOptions): RemoteAgentSettings {
  checkObject('options', options, 'Pass an object, such as { client, onMessage }.');
  checkOptionNames('createRemoteAgent', options, AGENT_OPTIONS);
  const { client, onMessage } = options;
  const port = clientPort(client);
  if (typeof onMessage !== 'function') {
    throw new ConfigurationError(`onMessage must be a function, got ${describe(onMessage)}.`, {
      hint: 'Pass the handler of messages, such as (message) => message.text.',
    });
  }
  if (options.delivery === 'push' && port.reportedUrl === null) {
    throw new ConfigurationError(
      'delivery "push" needs reportedUrl, the URL under which the platform reaches the agent.',
      { hint: 'Set reportedUrl of the client, or use delivery "long-poll", which needs no URL.' },
    );
  }
  const numbers = checkNumbers(options, NUMBERS);
  const { concurrency } = numbers;
  const { handlerTimeoutMs = DEFAULT_HANDLER_TIMEOUT_MS } = options;
  return Object.freeze({
    client,
    port,
    onMessage,
    delivery: chooseDelivery(options.delivery),
    deliveryChoice: typeof options.delivery === 'object' ? 'own' : (options.delivery ?? 'auto'),
    onPause: checkWord('onPause', options.onPause, PAUSE_POLICIES) ?? 'wait',
    onConflict: checkWord('onConflict', options.onConflict, CONFLICT_POLICIES) ?? 'wait',
    ...numbers,
    readAhead: checkInteger('readAhead', options.readAhead ?? Math.max(50, concurrency), concurrency),
    handlerTimeoutMs:
      handlerTimeoutMs === null ? null : checkInteger('handlerTimeoutMs', handlerTimeoutMs, 1),
    ...checkHeartbeats(options),
    atMostOnce: checkBoolean('atMostOnce', options.atMostOnce, false),
    ...checkInboundAuth(options),
    store: checkMethods(
      'store',
      options.store ?? new FileInboundStore(port.stateDirectory),
      ['load', 'append', 'replace'],
      'Pass new MemoryInboundStore(), an InboundStore of your own, or leave it out for a file.',
    ),
    usesFolder: options.store === undefined,
    probeAfterMs: checkProbeAfter(options.probeAfterMs),
    exitAfterMs: checkExitWhenDead(options.exitWhenDead),
    random: checkRandom(options.random),
  });
}

function checkProbeAfter(value: number | null | false | undefined): number | null {
  if (value === null || value === false) return null;
  return checkNumber('probeAfterMs', value ?? DEFAULT_PROBE_AFTER_MS, { min: 60_000 });
}

function checkInteger(name: string, value: number, min: number): number {
  return checkNumber(name, value, { min, isInteger: true });
}

/** Returns the time in milliseconds; `null` for never. @throws ConfigurationError */
function checkExitWhenDead(value: ExitWhenDead | undefined): number | null {
  if (value === undefined || value === false) return null;
  if (value === true) return DEFAULT_EXIT_AFTER_MS;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const problem = `exitWhenDead must be true, false or an object, got ${describe(value)}.`;
    throw new ConfigurationError(problem, { hint: EXIT_HINT });
  }
  const unknown = Object.keys(value).find((key) => key !== 'afterMs');
  if (unknown !== undefined) {
    const problem = `exitWhenDead has no option ${JSON.stringify(unknown.slice(0, 80))}, only afterMs.`;
    throw new ConfigurationError(problem, { hint: EXIT_HINT });
  }
  const { afterMs = DEFAULT_EXIT_AFTER_MS } = value;
  return checkNumber('exitWhenDead.afterMs', afterMs, { min: 10_000 });
}
