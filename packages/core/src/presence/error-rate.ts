import type { Clock } from '../time/clock.ts';
import { describeFailure } from './describe-failure.ts';

const WINDOW_MS = 300_000;
const MAX_SAMPLES = 1_000;

/** Share of failed attempts over the last five minutes, and what the latest failure was called. */
export class ErrorRate {
  readonly #clock: Clock;
  readonly #samples: { readonly at: number; readonly failure: string | null }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  succeeded(): void {
    this.#add(null);
  }

  failed(error: unknown): void {
    this.#add(describeFailure(error));
  }

  /** From 0 (nothing failed, or nothing happened) to 1. */
  rate(): number {
    this.#forget();
    if (this.#samples.length === 0) return 0;
    const failures = this.#samples.filter((sample) => sample.failure !== null).length;
    return failures / this.#samples.length;
  }

  /** The latest failure of the window, or `''`. */
  sample(): string {
    this.#forget();
    return this.#samples.findLast((sample) => sample.failure !== null)?.failure ?? '';
  }

  #add(failure: string | null): void {
    this.#samples.push({ at: this.#clock.monotonic(), failure });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  #forget(): void {
    const since = this.#clock.monotonic() - WINDOW_MS;
    const firstRecent = this.#samples.findIndex((sample) => sample.at > since);
    this.#samples.splice(0, firstRecent === -1 ? this.#samples.length : firstRecent);
  }
}
