import type { Clock } from '../src/time/clock.ts';

/** A clock that moves only when told to. */
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

  /** Lets time pass and runs what falls due, one after another. */
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

  /** Sets the wall clock without time passing, as an administrator or a time server does. */
  jumpWallClock(ms: number): void {
    this.#wall += ms;
  }

  #moveTo(at: number): void {
    this.#wall += at - this.#monotonic;
    this.#monotonic = at;
  }
}
