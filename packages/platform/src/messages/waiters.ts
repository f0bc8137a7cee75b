import { heldRequests } from '../telemetry/telemetry.ts';
import type { Clock } from '../time/clock.ts';
import { isSmall } from '../waiting/response-memory.ts';
import type { Outcome } from './outcome.ts';

const NO_OUTCOME = { kind: 'none' } as const;
const HELD_FOR_ANSWER = { 'molecule.held_for': 'answer' };

/** How a wait for an outcome ended. */
export type WaitEnd =
  | {
      readonly kind: 'outcome';
      readonly state: Outcome['state'];
      /** Undefined for a large one, of which each reader has a copy only while there is memory for it: it is stored. */
      readonly outcome: Outcome | undefined;
      /** The size of its answer. */
      readonly bytes: number;
      readonly receipt: OutcomeReceipt;
    }
  /** Its time is over, the message was put back into the queue, the client disconnected, or the platform stops. */
  | { readonly kind: 'none' };

/** Collects whether a caller received the outcome of one message: true when at least one waiter did. */
export interface OutcomeReceipt {
  /** Each waiter reports whether its client received the outcome. */
  report(written: boolean): void;
}

/** One request that waits for the outcome of a message. `done` never rejects. */
export interface OutcomeWaiter {
  readonly done: Promise<WaitEnd>;
  /** Stops waiting, unless an outcome is already reserved for it. */
  end(): void;
}

/** Reserves the outcome that a transaction stores for the waiters of its message. */
export interface OutcomeReservation {
  /** Whether the caller is among them; an outcome for an operator alone still goes to the caller's feed. */
  readonly hasCaller: boolean;
  /**
   * Sends the outcome, whose answer has so many bytes, to all of them; `onReport` is called once: whether at least one client
   * received it.
   */
  send(outcome: Outcome, bytes: number, onReport: (isReceived: boolean) => void): void;
  /** The transaction failed: they continue to wait. */
  release(): void;
}

/**
 * The request that waits: the caller's `call` with the message, which ends when the message is put back into the queue, or one
 * for its state, by the `caller` or by `another`.
 */
type WaitingRequest = 'call' | 'caller' | 'another';

interface Waiting {
  readonly isCall: boolean;
  readonly isCaller: boolean;
  finish(end: WaitEnd): void;
  /** Its time is over, or it was ended, while an outcome was reserved for it. */
  isOver: boolean;
}

/**
 * The requests that wait for outcomes, by message, in memory. A reservation decides inside the transaction who receives
 * the outcome: a waiter with one cannot time out, so the outcome goes either to it or to the feed.
 */
export class OutcomeWaiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<Waiting>>();
  readonly #reserved = new Set<Waiting>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** With `null` as time the wait goes on until there is an outcome or it is ended. */
  wait(queueId: string, timeoutMs: number | null, request: WaitingRequest): OutcomeWaiter {
    if (this.#closed) return { done: Promise.resolve(NO_OUTCOME), end: () => {} };
    const waiters = this.#waiting.get(queueId) ?? new Set<Waiting>();
    this.#waiting.set(queueId, waiters);
    const { promise: done, resolve } = Promise.withResolvers<WaitEnd>();
    const waiting: Waiting = {
      isCall: request === 'call',
      isCaller: request !== 'another',
      isOver: false,
      finish: (end) => {
        if (!waiters.delete(waiting)) return;
        if (waiters.size === 0 && this.#waiting.get(queueId) === waiters) this.#waiting.delete(queueId);
        this.#reserved.delete(waiting);
        heldRequests(-1, HELD_FOR_ANSWER);
        cancelTimer();
        resolve(end);
      },
    };
    waiters.add(waiting);
    heldRequests(1, HELD_FOR_ANSWER);
    const end = () => {
      waiting.isOver = true;
      if (!this.#reserved.has(waiting)) waiting.finish(NO_OUTCOME);
    };
    const cancelTimer = timeoutMs === null ? () => {} : this.#clock.schedule(timeoutMs, end);
    return { done, end };
  }

  /** Reserves the outcome for all waiters of this message; undefined when there is none. */
  reserve(queueId: string): OutcomeReservation | undefined {
    const reserved: Waiting[] = [];
    let callers = 0;
    for (const waiting of this.#waiting.get(queueId) ?? []) {
      if (this.#reserved.has(waiting)) continue;
      this.#reserved.add(waiting);
      reserved.push(waiting);
      if (waiting.isCaller) callers += 1;
    }
    if (reserved.length === 0) return undefined;
    return {
      hasCaller: callers > 0,
      send: (outcome, bytes, onReport) => {
        let isReceived = false;
        const receipt: OutcomeReceipt = {
          report: (written) => {
            callers -= 1;
            if (isReceived) return;
            isReceived = written;
            if (written || callers === 0) onReport(written);
          },
        };
        const shown = isSmall(bytes) ? outcome : undefined;
        const sent = { kind: 'outcome', state: outcome.state, bytes, outcome: shown } as const;
        for (const waiting of reserved) {
          waiting.finish({ ...sent, receipt: waiting.isCaller ? receipt : NO_RECEIPT });
        }
      },
      release: () => {
        for (const waiting of reserved) {
          this.#reserved.delete(waiting);
          if (waiting.isOver || this.#closed) waiting.finish(NO_OUTCOME);
        }
      },
    };
  }

  /** Ends the calls with a message that was put back into the queue. */
  requeued(queueId: string): void {
    for (const waiting of [...(this.#waiting.get(queueId) ?? [])]) {
      if (waiting.isCall && !this.#reserved.has(waiting)) waiting.finish(NO_OUTCOME);
    }
  }

  /** Ends all waits, also those that start later; reserved outcomes are still sent. */
  close(): void {
    this.#closed = true;
    for (const waiters of [...this.#waiting.values()]) {
      for (const waiting of [...waiters]) {
        if (!this.#reserved.has(waiting)) waiting.finish(NO_OUTCOME);
      }
    }
  }
}

/** Of an outcome that nobody has to confirm; only the caller confirms one. */
export const NO_RECEIPT: OutcomeReceipt = { report: () => {} };
