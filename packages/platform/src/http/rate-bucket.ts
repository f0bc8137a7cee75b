import type { Clock } from '../time/clock.ts';

const WINDOW_MS = 60_000;
/** Number of callers that a bucket stores; the one that was quiet longest is removed first. */
const MAX_CALLERS = 20_000;

/** Whether a request may proceed, and what is left for its caller until the window ends. */
export interface RateDecision {
  readonly isAllowed: boolean;
  /** Requests a minute. */
  readonly limit: number;
  /** Requests of this share that the caller may still send. */
  readonly remaining: number;
  /** Until the caller may send the whole limit again. */
  readonly resetMs: number;
}

/** Counts the requests of each caller in windows of a minute, which begin with the first one. */
export class RateBucket {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limit: number;
  readonly #callers = new Map<string, { count: number; startedAt: number }>();

  constructor(clock: Pick<Clock, 'monotonic'>, perMinute: number) {
    this.#clock = clock;
    this.#limit = perMinute;
  }

  /** Counts one request of a caller unless it exceeds the limit. `reserved` requests of the limit are for others. */
  take(caller: string, reserved = 0): RateDecision {
    const now = this.#clock.monotonic();
    let window = this.#callers.get(caller);
    if (window === undefined || window.startedAt + WINDOW_MS <= now) window = { count: 0, startedAt: now };
    this.#callers.delete(caller);
    this.#callers.set(caller, window);
    if (this.#callers.size > MAX_CALLERS) {
      const [oldest] = this.#callers.keys();
      if (oldest !== undefined) this.#callers.delete(oldest);
    }
    const isAllowed = window.count < this.#limit - reserved;
    if (isAllowed) window.count += 1;
    return {
      isAllowed,
      limit: this.#limit,
      remaining: Math.max(0, this.#limit - reserved - window.count),
      resetMs: window.startedAt + WINDOW_MS - now,
    };
  }
}
