import { randomUUID } from 'node:crypto';
import { isErrorCode } from '@molecule-ai/protocol';
import { clientPort } from '../client/client-port.ts';
import { currentMessage } from '../client/current-message.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { LatestMap } from '../storage/latest-map.ts';
import type { Clock } from '../time/clock.ts';

/** Calls without an end that may be repeated. */
const MAX_OPEN = 1_000;
/** How long the same question is a repeat of a call that may have reached the peer, outside of attempts, in milliseconds. */
const REPEATS_WITHIN_MS = 600_000;
const WAY_TO_ANSWER = /: waitForAnswer\([^)]*\)(?:, or call again with this messageId)?\./;

export interface RepeatableCallOptions {
  /** One object for each attempt of the work that calls, in which the same may be asked several times. @default the handled message */
  readonly attempt?: object | undefined;
  /** The id of the message that asks for the n-th time in an attempt, the same in each attempt; `undefined` where it has none. */
  readonly idOf: (turn: number) => string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One call of a framework to a peer. */
export interface RepeatableCall {
  readonly key: string;
  readonly messageId: string;
  readonly attempt: object | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Finds the message ids of calls that a framework or an application repeats without marking it, so that a repeat sends no second
 * message. A call is the repeat of one that has not ended, asks the same, and was made in the same attempt, or outside of attempts in the
 * last ten minutes.
 */
export class RepeatedCalls {
  readonly #clock: Clock;
  readonly #open = new LatestMap<OpenCall>(MAX_OPEN);
  readonly #turns = new WeakMap<object, Map<string, number>>();

  constructor(client: PeerClient) {
    this.#clock = clientPort(client).clock;
  }

  /** @param key what is asked, and where */
  begin(key: string, options: RepeatableCallOptions): RepeatableCall {
    const { attempt = currentMessage(), idOf, signal } = options;
    const before = this.#openOf(key);
    if (before !== undefined && before.attempt?.deref() === attempt) {
      return { key, messageId: before.messageId, attempt, signal };
    }
    const turn = attempt === undefined ? undefined : this.#turnOf(key, attempt);
    const derived = turn === undefined ? undefined : idOf(turn);
    return { key, messageId: derived ?? before?.messageId ?? randomUUID(), attempt, signal };
  }

  /**
   * Does work of a call. Keeps its id for the next one like it when that fails, unless it was aborted: then its message is canceled.
   * @throws what the work throws, with a hint that names the repeat of the call.
   */
  async run<T>(call: RepeatableCall, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#forget(call);
      return result;
    } catch (error) {
      this.#forget(call);
      // Outside of attempts another caller may ask the same.
      const isRepeatable = call.attempt !== undefined || mayHaveArrived(error);
      if (call.signal?.aborted !== true && isRepeatable) this.keep(call);
      throw withRepeatHint(error);
    }
  }

  /** Keeps the id of a call whose message has not ended. */
  keep({ key, messageId, attempt }: RepeatableCall): void {
    const endsAtMs = attempt === undefined ? this.#clock.monotonic() + REPEATS_WITHIN_MS : undefined;
    this.#open.set(key, { messageId, endsAtMs, attempt: attempt && new WeakRef(attempt) });
  }

  /** Another call that asks the same, at the same time, may have failed: its id stays. */
  #forget({ key, messageId }: RepeatableCall): void {
    if (this.#open.get(key)?.messageId === messageId) this.#open.delete(key);
  }

  #openOf(key: string): OpenCall | undefined {
    const found = this.#open.get(key);
    if (found?.endsAtMs === undefined || this.#clock.monotonic() < found.endsAtMs) return found;
    this.#open.delete(key);
    return undefined;
  }

  #turnOf(key: string, attempt: object): number {
    const turns = this.#turns.get(attempt) ?? new Map<string, number>();
    const turn = turns.get(key) ?? 0;
    this.#turns.set(attempt, turns.set(key, turn + 1));
    return turn;
  }
}

interface OpenCall {
  readonly messageId: string;
  /** By the monotonic clock; `undefined` for an attempt, whose key no other call has. */
  readonly endsAtMs: number | undefined;
  readonly attempt: WeakRef<object> | undefined;
}

/** Whether the peer may have the message of a call that failed: not where the platform refused it, or nothing was sent. */
export function mayHaveArrived(error: unknown): boolean {
  if (ApiError.isInstance(error)) return !isRefusal(error);
  if (MoleculeError.isInstance(error) && error.code === 'invalid_argument') return false;
  return !((ConnectionError.isInstance(error) || TimeoutError.isInstance(error)) && error.delivered === 'no');
}

/** What a gateway responds with, or what damages a response, may come after the platform has stored the message. */
function isRefusal({ status, platformCode }: ApiError): boolean {
  if (status < 400 || status >= 500 || platformCode === undefined || !isErrorCode(platformCode)) return false;
  // The others are about an agent that has the message.
  return !platformCode.startsWith('agent_');
}

/** Core's hint names a method of the client; here the call itself is repeated. */
function withRepeatHint(error: unknown): unknown {
  if (!MoleculeError.isInstance(error) || !WAY_TO_ANSWER.test(error.hint ?? '')) return error;
  const hint = error.hint?.replace(WAY_TO_ANSWER, '; the same call again sends the same message.');
  const changed = { hint, cause: error.cause };
  if (TimeoutError.isInstance(error)) return new TimeoutError(error.message, { ...error, ...changed });
  if (ConnectionError.isInstance(error)) return new ConnectionError(error.message, { ...error, ...changed });
  return error;
}
