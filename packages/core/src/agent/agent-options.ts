import type { InboundMessage } from '@molecule-ai/protocol';
import type { PlatformClient } from '../client/platform-client.ts';
import { ConfigurationError } from '../errors/configuration-error.ts';
import type { AttemptContext } from '../inbound/handling/attempt.ts';
import { chooseDelivery, type DeliveryChoice } from '../inbound/sources/feed-delivery.ts';
import type { InboundDelivery } from '../inbound/sources/message-source.ts';
import { FileInboundStore, type InboundStore } from '../inbound/stores/inbound-store.ts';
import type { Logger } from '../logging/logger.ts';
import { checkHeartbeatInterval } from '../presence/run-heartbeat-loop.ts';
import { checkNumber } from '../settings/checked-values.ts';
import type { RandomSource } from '../time/backoff.ts';

/** The part of a client that the runtime uses: `RemoteAgentClient` has it, and a double of your own tests can. */
export type AgentClient = Pick<
  PlatformClient,
  | 'workspaceId'
  | 'stateDirectory'
  | 'clock'
  | 'logger'
  | 'register'
  | 'heartbeat'
  | 'pollState'
  | 'getWorkspace'
  | 'fetchInboundPage'
  | 'acknowledge'
  | 'reply'
>;

/** The second argument of a handler. */
export interface HandlerContext<Client extends AgentClient = AgentClient> extends AttemptContext {
  /** The client of the agent, for calls to peers. Pass `signal` on. */
  readonly client: Client;
  /** Carries the message's row id in each line. */
  readonly logger: Logger;
}

/** What a handler returns: the answer, or nothing. A blank text is nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a handler as well
export type HandlerAnswer = string | null | undefined | void;

/**
 * Handles one message. The text it returns is the answer; throwing means "again later": five attempts,
 * 1-4-16-64 s apart, then the message goes to the dead letters. What the message carries is untrusted:
 * `messageForModel` makes of it what a model may see.
 */
export type MessageHandler<Client extends AgentClient = AgentClient> = (
  message: InboundMessage,
  context: HandlerContext<Client>,
) => HandlerAnswer | Promise<HandlerAnswer>;

/** Options of `createRemoteAgent`. */
export interface RemoteAgentOptions<Client extends AgentClient = AgentClient> {
  /** The agent's client. It is not closed with the agent. */
  client: Client;
  onMessage: MessageHandler<Client>;
  /** How messages arrive. @default `'auto'`: long-poll, or poll where the platform does not hold requests */
  delivery?: DeliveryChoice | undefined;
  /** What a pause means: `wait` keeps sending heartbeats and continues after the resume, `stop` ends the agent. @default 'wait' */
  onPause?: 'wait' | 'stop' | undefined;
  /**
   * Most messages handled at once; messages of one conversation never overlap. With 1, an agent that waits for a
   * peer's answer cannot answer that peer. @default 4
   */
  concurrency?: number | undefined;
  /** Most messages read ahead and not finished. @default 50 */
  readAhead?: number | undefined;
  /**
   * How long one attempt may take, in milliseconds; `null` for no limit. For a handler that never ends there is
   * a `degraded` event once other messages have waited for it. @default null
   */
  handlerTimeoutMs?: number | null | undefined;
  /** How long `stop()` waits for running handlers, in milliseconds. @default 30_000 */
  stopTimeoutMs?: number | undefined;
  /** Longest time between heartbeats, in milliseconds, 1 000–30 000. @default 30_000 */
  heartbeatIntervalMs?: number | undefined;
  /** Acknowledge before the handler runs: never twice, but lost when the process dies meanwhile. @default false */
  atMostOnce?: boolean | undefined;
  /** Where position, handling and dead letters are kept. @default `inbound.jsonl` in the client's `stateDirectory` */
  store?: InboundStore | undefined;
  /** Source of jitter, from 0 to 1. @default Math.random */
  random?: RandomSource | undefined;
}

/** {@link RemoteAgentOptions} after checking: nothing optional. */
export interface RemoteAgentSettings<Client extends AgentClient = AgentClient> {
  readonly client: Client;
  readonly onMessage: MessageHandler<Client>;
  readonly delivery: InboundDelivery;
  readonly onPause: 'wait' | 'stop';
  readonly concurrency: number;
  readonly readAhead: number;
  readonly handlerTimeoutMs: number | null;
  readonly stopTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly atMostOnce: boolean;
  readonly store: InboundStore;
  /** Whether this process locks the workspace's folder. */
  readonly usesFolder: boolean;
  readonly random: RandomSource;
}

/** @throws ConfigurationError naming the option. */
export function resolveRemoteAgentOptions<Client extends AgentClient>(
  options: RemoteAgentOptions<Client>,
): RemoteAgentSettings<Client> {
  const { client, onMessage } = options;
  if (typeof client !== 'object' || client === null) {
    throw new ConfigurationError('client must be a RemoteAgentClient.');
  }
  if (typeof onMessage !== 'function') throw new ConfigurationError('onMessage must be a function.');
  const onPause = options.onPause ?? 'wait';
  if (onPause !== 'wait' && onPause !== 'stop') {
    throw new ConfigurationError(`onPause must be "wait" or "stop", got ${JSON.stringify(onPause)}.`);
  }
  const concurrency = checkInteger('concurrency', options.concurrency ?? 4, 1);
  const handlerTimeoutMs = options.handlerTimeoutMs ?? null;
  return Object.freeze({
    client,
    onMessage,
    delivery: chooseDelivery(options.delivery),
    onPause,
    concurrency,
    readAhead: checkInteger('readAhead', options.readAhead ?? Math.max(50, concurrency), concurrency),
    handlerTimeoutMs:
      handlerTimeoutMs === null ? null : checkInteger('handlerTimeoutMs', handlerTimeoutMs, 1),
    stopTimeoutMs: checkInteger('stopTimeoutMs', options.stopTimeoutMs ?? 30_000, 0),
    heartbeatIntervalMs: checkHeartbeatInterval(options.heartbeatIntervalMs),
    atMostOnce: options.atMostOnce ?? false,
    store: options.store ?? new FileInboundStore(client.stateDirectory),
    usesFolder: options.store === undefined,
    random: options.random ?? Math.random,
  });
}

function checkInteger(name: string, value: number, min: number): number {
  return checkNumber(name, value, { min, isInteger: true });
}
