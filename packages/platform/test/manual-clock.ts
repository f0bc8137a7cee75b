import type { Clock } from '../src/time/clock.ts';

/** A clock that only `advance` and `jumpWallClock` change. */
export class ManualClock implements Clock {
  #wall: number;
  #monotonic = 0;
  readonly #timers = new Set<{ at: number; task: () => void }>();

  constructor(startAt = Date.UTC(2026, 10, 21)) {
    this.#wall = startAt;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  schedule(delayMs: number, task: () => void): () => void {
    const timer = { at: this.#monotonic + delayMs, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Advances the time and runs the timers that are due, in order. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#moveTo(Math.max(next.at, this.#monotonic));
      next.task();
    }
    this.#moveTo(end);
  }

  /** Changes the wall clock only, as an administrator or a time server does. */
  jumpWallClock(ms: number): void {
    this.#wall += ms;
  }

  #moveTo(at: number): void {
    this.#wall += at - this.#monotonic;
    this.#monotonic = at;
  }
}
