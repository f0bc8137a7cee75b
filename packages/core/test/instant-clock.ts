import type { Clock, SleepOptions, Timer } from '../src/time/clock.ts';

/** A clock whose sleeps end immediately and are recorded; timers run in real time. */
export class InstantClock implements Clock {
  readonly sleeps: number[] = [];
  #elapsed = 0;

  now(): number {
    return Date.UTC(2026, 0, 1) + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  async sleep(ms: number, options?: SleepOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    this.sleeps.push(ms);
    this.#elapsed += ms;
    await new Promise((resolve) => setImmediate(resolve));
    options?.signal?.throwIfAborted();
  }

  setTimer(ms: number, callback: () => void): Timer {
    const timer = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  }
}
