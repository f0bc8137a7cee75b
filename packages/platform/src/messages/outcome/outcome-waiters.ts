import type { Clock } from '../../time/clock.ts';
import type { Outcome } from './outcome.rules.ts';

/** How a wait for an outcome ended. */
export type WaitEnd =
  | { readonly kind: 'outcome'; readonly outcome: Outcome; readonly receipt: OutcomeReceipt }
  /** The time is over, the message went back into the queue, the client left, or the platform stops. */
  | { readonly kind: 'timeout' | 'requeued' | 'ended' };

/** The outcome of one message on its way to those who waited: received once one of them has it. */
export interface OutcomeReceipt {
  /** Each waiter reports whether its client got the answer. */
  report(written: boolean): void;
}

/** One caller waiting for the outcome of a message. `done` never rejects. */
export interface OutcomeWaiter {
  readonly done: Promise<WaitEnd>;
  /** Stops waiting, unless an outcome was promised to it already. */
  end(): void;
}

/** The waiters of one message, promised the outcome that a transaction is about to store. */
export interface Claim {
  /** Whether the caller itself is among them; an operator who only watches does not take its answer away. */
  readonly hasCaller: boolean;
  /** Sends the outcome to all of them; `onReport` is called once with whether at least one client received it. */
  send(outcome: Outcome, onReport: (isReceived: boolean) => void): void;
  /** The transaction failed: they wait on. */
  release(): void;
}

interface Waiting {
  readonly isCaller: boolean;
  finish(end: WaitEnd): void;
  timeUp: boolean;
}

/**
 * The callers that wait for answers, by message, in memory. A claim decides inside the transaction who will
 * receive it: from then on a waiter cannot time out, so an answer goes either to it or to the feed, never to neither.
 */
export class OutcomeWaiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<Waiting>>();
  readonly #claimed = new Set<Waiting>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `isCaller`: an outcome that this waiter gets has reached the message's caller. */
  wait(queueId: string, timeoutMs: number, isCaller: boolean): OutcomeWaiter {
    if (this.#closed) return { done: Promise.resolve({ kind: 'ended' }), end: () => {} };
    const waiters = this.#waiting.get(queueId) ?? new Set<Waiting>();
    this.#waiting.set(queueId, waiters);
    let resolve: (end: WaitEnd) => void = () => {};
    const done = new Promise<WaitEnd>((onEnd) => {
      resolve = onEnd;
    });
    const waiting: Waiting = {
      isCaller,
      timeUp: false,
      finish: (end) => {
        if (!waiters.delete(waiting)) return;
        if (waiters.size === 0 && this.#waiting.get(queueId) === waiters) this.#waiting.delete(queueId);
        this.#claimed.delete(waiting);
        cancelTimer();
        resolve(end);
      },
    };
    waiters.add(waiting);
    const cancelTimer = this.#clock.schedule(timeoutMs, () => {
      waiting.timeUp = true;
      if (!this.#claimed.has(waiting)) waiting.finish({ kind: 'timeout' });
    });
    return {
      done,
      end: () => {
        if (!this.#claimed.has(waiting)) waiting.finish({ kind: 'ended' });
      },
    };
  }

  /** Promises the coming outcome to everybody who waits for this message; undefined when nobody does. */
  claim(queueId: string): Claim | undefined {
    const claimed = [...(this.#waiting.get(queueId) ?? [])].filter((waiting) => !this.#claimed.has(waiting));
    if (claimed.length === 0) return undefined;
    for (const waiting of claimed) this.#claimed.add(waiting);
    const callers = claimed.filter((waiting) => waiting.isCaller);
    return {
      hasCaller: callers.length > 0,
      send: (outcome, onReport) => {
        const receipt = countReports(callers.length, onReport);
        for (const waiting of claimed) {
          waiting.finish({ kind: 'outcome', outcome, receipt: waiting.isCaller ? receipt : NO_RECEIPT });
        }
      },
      release: () => {
        for (const waiting of claimed) {
          this.#claimed.delete(waiting);
          if (waiting.timeUp) waiting.finish({ kind: 'timeout' });
          else if (this.#closed) waiting.finish({ kind: 'ended' });
        }
      },
    };
  }

  /** Releases the callers of a message whose delivery failed for now. */
  requeued(queueId: string): void {
    for (const waiting of [...(this.#waiting.get(queueId) ?? [])]) {
      if (!this.#claimed.has(waiting)) waiting.finish({ kind: 'requeued' });
    }
  }

  /** Releases everybody, those still to come too; a promised outcome still arrives. */
  close(): void {
    this.#closed = true;
    for (const waiters of [...this.#waiting.values()]) {
      for (const waiting of [...waiters]) {
        if (!this.#claimed.has(waiting)) waiting.finish({ kind: 'ended' });
      }
    }
  }
}

/** Nobody counts whether somebody else than the caller got the outcome. */
const NO_RECEIPT: OutcomeReceipt = { report: () => {} };

function countReports(expected: number, onReport: (isReceived: boolean) => void): OutcomeReceipt {
  let open = expected;
  let isReceived = false;
  return {
    report: (written) => {
      open -= 1;
      if (isReceived) return;
      if (written) {
        isReceived = true;
        onReport(true);
      } else if (open === 0) {
        onReport(false);
      }
    },
  };
}
