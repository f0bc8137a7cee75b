import type { Clock, Timer } from '../../time/clock.ts';

export interface StaleWatchOptions {
  readonly clock: Clock;
  /** Silence longer than this is stale, in milliseconds. */
  readonly limitMs: number;
  /** False while there is a reason for silence, which then does not count. */
  readonly isExpected: () => boolean;
  readonly onStale: () => void;
  readonly onFresh: () => void;
}

/** Notices when something that should happen again and again has not happened for too long. */
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

  /** Starts watching; silence counts from now. */
  start(): void {
    this.#lastAt = this.#options.clock.monotonic();
    this.#arm(this.#options.limitMs);
  }

  /** It happened. */
  touch(): void {
    this.#lastAt = this.#options.clock.monotonic();
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#options.onFresh();
    if (this.#timer !== undefined) this.#arm(this.#options.limitMs);
  }

  /** Stops watching, for example while nothing is expected. What was stale stays stale until touched. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
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
