import type { InboundMessage } from '@molecule-ai/protocol';
import type { HeartbeatMetrics } from '../client/heartbeat.ts';
import { isError } from '../errors/is-error.ts';
import { failureCode } from '../inbound/life.ts';
import type { Clock } from '../time/clock.ts';

const WINDOW_MS = 300_000;
const MAX_SAMPLES = 1_000;
const MAX_FAILURE_LENGTH = 120;
const PLAIN_WORD = /^[\w.-]{1,60}$/;

/** The latest failure of a handler or of sending its answer; never its text. */
export interface LastFailure {
  readonly activityId: string;
  /** The code of the error; `handler_failed` for an error without one. */
  readonly code: string;
  /** RFC 3339. */
  readonly at: string;
}

/**
 * The metrics of a heartbeat: the messages being handled, and the share of attempts that failed within the last five
 * minutes. Never contains message text, only what was passed to `progress`.
 */
export class TaskMetrics {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #tasks = new Map<string, string>();
  /** The latest attempts, oldest first; `failure` is null when the attempt succeeded. */
  readonly #attempts: { readonly at: number; readonly failure: string | null }[] = [];

  #lastFailure: LastFailure | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
  }

  started(message: InboundMessage): void {
    this.#tasks.set(message.id, 'handling a message');
  }

  progressed(message: InboundMessage, text: string): void {
    if (this.#tasks.has(message.id)) this.#tasks.set(message.id, text);
  }

  ended(message: InboundMessage): void {
    this.#tasks.delete(message.id);
  }

  succeeded(): void {
    this.#record(null);
  }

  failed(message: InboundMessage, error: unknown): void {
    this.#record(describeFailure(error));
    this.noteFailure(message, error);
  }

  /** A failure outside the handler, such as an answer that cannot be sent: the attempts count without it. */
  noteFailure(message: InboundMessage, error: unknown): void {
    const at = new Date(this.#clock.now()).toISOString();
    this.#lastFailure = { activityId: message.id, code: failureCode(error), at };
  }

  /** `null` before the first one. */
  get lastFailure(): LastFailure | null {
    return this.#lastFailure;
  }

  current(): HeartbeatMetrics {
    const since = this.#clock.monotonic() - WINDOW_MS;
    const firstRecent = this.#attempts.findIndex(({ at }) => at > since);
    this.#attempts.splice(0, firstRecent === -1 ? this.#attempts.length : firstRecent);
    const failures = this.#attempts.filter(({ failure }) => failure !== null);
    return {
      currentTask: [...this.#tasks.values()].at(-1) ?? '',
      activeTasks: this.#tasks.size,
      errorRate: failures.length === 0 ? 0 : failures.length / this.#attempts.length,
      sampleError: failures.at(-1)?.failure ?? '',
      uptimeSeconds: Math.floor((this.#clock.monotonic() - this.#startedAt) / 1_000),
    };
  }

  #record(failure: string | null): void {
    this.#attempts.push({ at: this.#clock.monotonic(), failure });
    if (this.#attempts.length > MAX_SAMPLES) this.#attempts.shift();
  }
}

/** Name and code of an error, such as `ApiError access_denied`. Never its message, which can contain text of a peer. */
export function describeFailure(error: unknown): string {
  if (!isError(error)) return 'Error';
  const words = [error.name, Reflect.get(error, 'code')].filter(isPlainWord);
  return words.length === 0 ? 'Error' : words.join(' ').slice(0, MAX_FAILURE_LENGTH);
}

function isPlainWord(value: unknown): value is string {
  return typeof value === 'string' && PLAIN_WORD.test(value);
}
