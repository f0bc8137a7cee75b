import type { Clock, Timer } from '../../time/clock.ts';

export interface StaleWatchOptions {
  readonly clock: Clock;
  /** Time without `touch()` until `onStale`, in milliseconds; `Infinity` for never. */
  readonly limitMs: number;
  /** While false, the time does not count. */
  readonly isExpected: () => boolean;
  readonly onStale: () => void;
  readonly onFresh: () => void;
}

/** Reports when something that should happen regularly has not happened for too long. */
export class StaleWatch {
  readonly #options: StaleWatchOptions;
  #lastAt = 0;
  #timer: Timer | undefined;
  #isStale = false;

  constructor(options: StaleWatchOptions) {
    this.#options = options;
  }

  get isStale(): boolean {
    return this.#isStale;
  }

  /** Starts the time. */
  start(): void {
    this.#lastAt = this.#options.clock.monotonic();
    this.#arm(this.#options.limitMs);
  }

  /** Call each time it happens. */
  touch(): void {
    this.#lastAt = this.#options.clock.monotonic();
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#options.onFresh();
    if (this.#timer !== undefined) this.#arm(this.#options.limitMs);
  }

  /** Stops the time. A stale state remains until the next `touch()`. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    if (delayMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#check());
  }

  #check(): void {
    if (!this.#options.isExpected()) this.#lastAt = this.#options.clock.monotonic();
    const leftMs = this.#lastAt + this.#options.limitMs - this.#options.clock.monotonic();
    this.#arm(leftMs > 0 ? leftMs : this.#options.limitMs);
    if (leftMs > 0 || this.#isStale) return;
    this.#isStale = true;
    this.#options.onStale();
  }
}
