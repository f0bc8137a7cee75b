import type { InboundMessage } from '@molecule-ai/protocol';
import type { HeartbeatMetrics } from '../client/heartbeat.ts';
import { isError } from '../errors/is-error.ts';
import type { MessageFailure } from '../errors/message-failure.ts';
import type { AttemptEnd, InboundObserver } from '../inbound/inbound-observer.ts';
import { failureCode, replyFailureKind } from '../inbound/life.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock } from '../time/clock.ts';
import type { AgentEventName, AgentEvents, AgentListener } from './agent-events.ts';
import { type DegradedReason, type LastFailure, SIGNS } from './health.ts';
import { loggableError } from './loggable-error.ts';

const WINDOW_MS = 300_000;
const MAX_SAMPLES = 1_000;
const MAX_FAILURE_LENGTH = 120;
const PLAIN_WORD = /^[\w.-]{1,60}$/;

export interface AgentReportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onMetricsChanged: () => void;
}

/** Ends that are no fault of the agent: a sender must not be able to fill its log. */
const EXPECTED_FAILURES: ReadonlyMap<string, string> = new Map([
  ['rejected', 'A message ended without what somebody had to approve.'],
  ['invalid_data', 'The data of a message does not fit the skill that it names.'],
  ['unknown_skill', 'A message names no skill of the agent.'],
]);

/**
 * What an agent says of itself: events, log lines, why it is degraded, and the metrics of its heartbeats. Neither a log line nor
 * a metric has the text of a message.
 */
export class AgentReport implements InboundObserver {
  /** `null` when nothing failed. */
  lastFailure: LastFailure | null = null;
  readonly #options: AgentReportOptions;
  readonly #startedAt: number;
  readonly #listeners = new Map<AgentEventName, Set<(...values: never[]) => unknown>>();
  readonly #endings: (() => void)[] = [];
  readonly #reasons = new Set<DegradedReason>();
  /** What each message that is handled now is doing, by row. */
  readonly #tasks = new Map<string, string>();
  /** The latest attempts, oldest first; `failure` is null when the attempt succeeded. */
  readonly #attempts: { readonly at: number; readonly failure: string | null }[] = [];

  constructor(options: AgentReportOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
  }

  on<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    let isRegistered = true;
    return () => {
      // Only once, because the listener may have been added again since.
      if (isRegistered) this.off(event, listener);
      isRegistered = false;
    };
  }

  off<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): void {
    this.#listeners.get(event)?.delete(listener);
  }

  /** Calls the listeners. An error of one is logged, and stops nothing else. */
  emit<Name extends AgentEventName>(event: Name, ...values: AgentEvents[Name]): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) void this.#call(event, listener, values);
  }

  /** `release` runs when the agent has ended, also when it could not start. */
  onEnd(release: () => void): void {
    this.#endings.push(release);
  }

  /** Call once, before the event `stopped` or `start-failed`. */
  end(): void {
    for (const release of this.#endings.splice(0)) release();
  }

  get degradedReasons(): readonly DegradedReason[] {
    return [...this.#reasons];
  }

  isDegraded(reason: DegradedReason): boolean {
    return this.#reasons.has(reason);
  }

  /** Logs the line of {@link SIGNS} and emits `degraded`, unless it is degraded for this reason already. */
  degraded(reason: DegradedReason, error?: unknown, message?: InboundMessage): void {
    // An agent that waits while another one reads is not stale.
    const isWaiting = reason === 'inbound-stale' && this.#reasons.has('identity-in-use');
    if (isWaiting || this.#reasons.has(reason)) return;
    this.#reasons.add(reason);
    const fields = { ...(message && idsOf(message)), ...(error === undefined ? {} : { error }) };
    const { warn, error: failed } = SIGNS[reason];
    if (warn !== undefined) this.#options.logger.warn(fields, warn);
    if (failed !== undefined) this.#options.logger.error(fields, failed);
    this.emit('degraded', reason, error);
  }

  /** Emits `recovered`, if it was degraded for this reason. */
  recovered(reason: DegradedReason): void {
    if (this.#reasons.delete(reason)) this.emit('recovered', reason);
  }

  /**
   * The metrics of a heartbeat: the messages being handled, and the share of attempts that failed within the last five
   * minutes. Of a message they have only what was passed to `progress`.
   */
  metrics(): HeartbeatMetrics {
    const { clock } = this.#options;
    const since = clock.monotonic() - WINDOW_MS;
    const firstRecent = this.#attempts.findIndex(({ at }) => at > since);
    this.#attempts.splice(0, firstRecent === -1 ? this.#attempts.length : firstRecent);
    const failures = this.#attempts.flatMap(({ failure }) => failure ?? []);
    return {
      currentTask: [...this.#tasks.values()].at(-1) ?? '',
      activeTasks: this.#tasks.size,
      errorRate: failures.length === 0 ? 0 : failures.length / this.#attempts.length,
      sampleError: failures.at(-1) ?? '',
      uptimeSeconds: Math.floor((clock.monotonic() - this.#startedAt) / 1_000),
    };
  }

  started(message: InboundMessage): void {
    this.#tasks.set(message.id, 'handling a message');
    this.#options.onMetricsChanged();
  }

  progressed(message: InboundMessage, text: string): void {
    if (this.#tasks.has(message.id)) this.#tasks.set(message.id, text);
    this.#options.onMetricsChanged();
  }

  ended(message: InboundMessage, end: AttemptEnd): void {
    this.#tasks.delete(message.id);
    if (end !== 'interrupted') {
      const failure = end === 'succeeded' ? null : describeFailure(end.error);
      this.#attempts.push({ at: this.#options.clock.monotonic(), failure });
      if (this.#attempts.length > MAX_SAMPLES) this.#attempts.shift();
    }
    this.#options.onMetricsChanged();
    if (typeof end === 'string') return;
    this.#failed(message, end.error);
    if (end.failure !== null) this.#endedAsFailed(message, end.failure);
  }

  replySent(message: InboundMessage): void {
    this.recovered('answers-refused');
    this.emit('reply-sent', message);
  }

  expired(message: InboundMessage): void {
    this.#options.logger.info(idsOf(message), 'A message expired before its answer was sent.');
    this.emit('expired', message);
  }

  retrying(message: InboundMessage, details: AgentEvents['retry'][1]): void {
    const { stage, attempt, delayMs } = details;
    if (stage === 'reply') this.#failed(message, details.error);
    const error = loggableError(details.error, message.text);
    const fields = { ...idsOf(message), stage, attempt, nextAttemptInMs: delayMs, error };
    this.#options.logger.warn(fields, 'Handling a message failed; it is retried.');
    this.emit('retry', message, details);
  }

  gaveUp(message: InboundMessage, details: AgentEvents['dead-letter'][1]): void {
    const { stage, attempts } = details;
    if (stage === 'reply') this.#failed(message, details.error);
    const error = loggableError(details.error, message.text);
    const text = 'A message was given up: see listDeadLetters and replayDeadLetter.';
    this.#options.logger.error({ ...idsOf(message), stage, attempts, error }, text);
    if (stage === 'reply' && replyFailureKind(details.error) === 'refused') {
      this.degraded('answers-refused', details.error);
    }
    this.emit('dead-letter', message, details);
  }

  stuck(message: InboundMessage): void {
    const text = 'A handler kept running after its signal was aborted.';
    this.#options.logger.warn(idsOf(message), text);
    this.emit('stuck', message);
  }

  cursorLost(error: unknown): void {
    const text = 'The platform no longer knows the read position; unacknowledged messages are read again.';
    this.#options.logger.warn({ error }, text);
    this.emit('cursor-lost', error);
  }

  setAside(row: AgentEvents['set-aside'][0], error: unknown): void {
    const { activityId, messageId } = row;
    const text = 'A message is larger than maxResponseBytes: it was set aside, see listDeadLetters.';
    this.#options.logger.error({ activityId, messageId: messageId.slice(0, 100), error }, text);
    this.emit('set-aside', row, error);
  }

  #endedAsFailed(message: InboundMessage, failure: MessageFailure): void {
    const { logger } = this.#options;
    const { code, cause } = failure;
    const expected = cause === undefined ? EXPECTED_FAILURES.get(code) : undefined;
    if (expected !== undefined) logger.info({ ...idsOf(message), code }, expected);
    else {
      const error = loggableError(cause ?? failure, message.text);
      logger.warn({ ...idsOf(message), code, error }, 'The handler ended a message as failed.');
    }
    this.emit('failed', message, failure);
  }

  #failed(message: InboundMessage, error: unknown): void {
    const at = new Date(this.#options.clock.now()).toISOString();
    this.lastFailure = { activityId: message.id, code: failureCode(error), at };
  }

  async #call(
    event: AgentEventName,
    listener: (...values: never[]) => unknown,
    values: readonly unknown[],
  ): Promise<void> {
    try {
      await listener(...(values as never[]));
    } catch (error) {
      const text: unknown = Reflect.get(Object(values[0]), 'text');
      const loggable = loggableError(error, typeof text === 'string' ? text : '');
      this.#options.logger.error({ error: loggable, event }, 'A listener of the agent failed.');
    }
  }
}

function idsOf({ id, messageId }: InboundMessage): { activityId: string; messageId: string } {
  return { activityId: id, messageId: messageId.slice(0, 100) };
}

/** Name and code of an error, such as `ApiError access_denied`. Never its message, which can contain text of a peer. */
export function describeFailure(error: unknown): string {
  if (!isError(error)) return 'Error';
  const words = [error.name, Reflect.get(error, 'code')].filter(
    (word: unknown) => typeof word === 'string' && PLAIN_WORD.test(word),
  );
  return words.length === 0 ? 'Error' : words.join(' ').slice(0, MAX_FAILURE_LENGTH);
}
