import type { ArrivalEnd } from '../../inbound-http/inbound-agent.ts';
import type { Clock } from '../../time/clock.ts';

/**
 * Why a request no longer waits: the message has ended; its time is over, or the caller has closed the connection
 * (`left`); the message was not accepted, or the agent stops (`withdrawn`).
 */
export type ExchangeResult =
  | { readonly kind: 'ended'; readonly end: ArrivalEnd }
  | { readonly kind: 'left' | 'withdrawn' };

/** Of a request that waits as long as its caller does. */
export const NO_HOLD_LIMIT = Number.POSITIVE_INFINITY;

type Finish = (result: ExchangeResult) => void;

/** The requests that wait for the end of their message, by the id of its row. */
export class Exchanges {
  readonly #clock: Clock;
  readonly #open = new Map<string, Set<Finish>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isOpen(row: string): boolean {
    return this.#open.has(row);
  }

  /** Waits for the end, at most `holdMs` milliseconds or `NO_HOLD_LIMIT`, and no longer than the caller does. Never rejects. */
  wait(row: string, holdMs: number, signal: AbortSignal): Promise<ExchangeResult> {
    if (signal.aborted || holdMs <= 0) return Promise.resolve({ kind: 'left' });
    return new Promise((resolve) => {
      const waiting = this.#open.get(row) ?? new Set();
      const finish: Finish = (result) => {
        timer?.cancel();
        signal.removeEventListener('abort', leave);
        waiting.delete(finish);
        if (waiting.size === 0 && this.#open.get(row) === waiting) this.#open.delete(row);
        resolve(result);
      };
      const leave = (): void => finish({ kind: 'left' });
      const timer = holdMs === NO_HOLD_LIMIT ? undefined : this.#clock.setTimer(holdMs, leave);
      signal.addEventListener('abort', leave, { once: true });
      this.#open.set(row, waiting.add(finish));
    });
  }

  /** Gives the end to the requests that wait for it; false when there is none. */
  complete(row: string, end: ArrivalEnd): boolean {
    return this.#finish(row, { kind: 'ended', end });
  }

  withdraw(row: string): void {
    this.#finish(row, { kind: 'withdrawn' });
  }

  withdrawAll(): void {
    for (const row of [...this.#open.keys()]) this.withdraw(row);
  }

  #finish(row: string, result: ExchangeResult): boolean {
    const waiting = this.#open.get(row);
    for (const finish of [...(waiting ?? [])]) finish(result);
    return waiting !== undefined;
  }
}
