import type { InboundRequest, MessageEnd } from '../inbound-http/inbound-agent.ts';
import type { Clock } from '../time/clock.ts';

/**
 * Why a request no longer waits: the message has ended; its time is over, the caller has closed the connection, or has sent
 * the message again (`left`); the message was not accepted, or the agent stops (`withdrawn`).
 */
export type WaitResult =
  | { readonly kind: 'ended'; readonly end: MessageEnd }
  | { readonly kind: 'left' | 'withdrawn' };

/** Of a request that waits as long as its caller does. */
export const NO_HOLD_LIMIT = Number.POSITIVE_INFINITY;

type Finish = (result: WaitResult) => void;

/** The requests that wait for the end of their message, by the id of its row: of each caller the latest, and all that read streams. */
export class WaitingRequests {
  readonly #clock: Clock;
  readonly #open = new Map<string, Map<string | symbol, Finish>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isOpen(row: string): boolean {
    return this.#open.has(row);
  }

  /**
   * Waits for the end, at most `holdMs` milliseconds or `NO_HOLD_LIMIT`, and no longer than the caller does. With a `caller`, an
   * earlier request of the same one no longer waits. Never rejects.
   */
  wait(
    row: string,
    {
      caller,
      holdMs,
      signal,
    }: Pick<InboundRequest, 'holdMs' | 'signal'> & Partial<Pick<InboundRequest, 'caller'>>,
  ): Promise<WaitResult> {
    if (signal.aborted || holdMs <= 0) return Promise.resolve({ kind: 'left' });
    return new Promise((resolve) => {
      const waiting = this.#open.get(row) ?? new Map<string | symbol, Finish>();
      const key = caller === undefined ? Symbol('any') : `${caller.use} ${caller.subject}`;
      const finish: Finish = (result) => {
        timer?.cancel();
        signal.removeEventListener('abort', leave);
        if (waiting.get(key) === finish) waiting.delete(key);
        if (waiting.size === 0 && this.#open.get(row) === waiting) this.#open.delete(row);
        resolve(result);
      };
      const leave = (): void => finish({ kind: 'left' });
      const timer = holdMs === NO_HOLD_LIMIT ? undefined : this.#clock.setTimer(holdMs, leave);
      signal.addEventListener('abort', leave, { once: true });
      const earlier = waiting.get(key);
      this.#open.set(row, waiting.set(key, finish));
      earlier?.({ kind: 'left' });
    });
  }

  /** Gives the end to the requests that wait for it; false when there is none. */
  complete(row: string, end: MessageEnd): boolean {
    return this.#finish(row, { kind: 'ended', end });
  }

  withdraw(row: string): void {
    this.#finish(row, { kind: 'withdrawn' });
  }

  withdrawAll(): void {
    for (const row of [...this.#open.keys()]) this.withdraw(row);
  }

  #finish(row: string, result: WaitResult): boolean {
    const waiting = this.#open.get(row);
    for (const finish of [...(waiting?.values() ?? [])]) finish(result);
    return waiting !== undefined;
  }
}
