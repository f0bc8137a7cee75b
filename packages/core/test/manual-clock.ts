import type { Clock, SleepOptions, Timer } from '../src/time/clock.ts';

interface PendingTimer {
  readonly dueAt: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * A clock that only moves by `advance`, for tests.
 *
 * @example
 * const clock = new ManualClock();
 * const asleep = clock.sleep(1000);
 * await clock.advance(1000);
 * await asleep;
 */
export class ManualClock implements Clock {
  readonly #startedAt: number;
  #elapsed = 0;
  #jumped = 0;
  #order = 0;
  readonly #timers = new Set<PendingTimer>();
  #watchers: (() => void)[] = [];
  /** All requested sleeps, in milliseconds, in order. */
  readonly sleeps: number[] = [];

  /** @param startAt Unix time in milliseconds at which the clock starts. */
  constructor(startAt = Date.UTC(2026, 0, 1)) {
    this.#startedAt = startAt;
  }

  now(): number {
    return this.#startedAt + this.#elapsed + this.#jumped;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** Changes the wall clock only. */
  jump(ms: number): void {
    this.#jumped += ms;
  }

  sleep(ms: number, options?: SleepOptions): Promise<void> {
    const signal = options?.signal;
    this.sleeps.push(ms);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.setTimer(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  setTimer(ms: number, callback: () => void): Timer {
    this.#order += 1;
    const timer: PendingTimer = { dueAt: this.#elapsed + Math.max(0, ms), order: this.#order, run: callback };
    this.#timers.add(timer);
    for (const wake of this.#watchers.splice(0)) wake();
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Number of pending timers and sleeps. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Resolves when at least `count` timers or sleeps are pending; for code that does real I/O before. */
  async waitForPending(count = 1): Promise<void> {
    while (this.#timers.size < count) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  /** Resolves when a timer is due in at most `ms`. */
  async waitForTimer(ms: number): Promise<void> {
    const isDue = () => this.#nextTimer(this.#elapsed + ms) !== undefined;
    while (!isDue()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  /** Advances the time by `ms` and runs due timers in order, with pending promises in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await flushPromises();
    for (let next = this.#nextTimer(end); next !== undefined; next = this.#nextTimer(end)) {
      this.#timers.delete(next);
      this.#elapsed = Math.max(this.#elapsed, next.dueAt);
      next.run();
      await flushPromises();
    }
    this.#elapsed = end;
  }

  /** Advances the time to the next pending timer and runs it; returns false if there is none. */
  async runNext(): Promise<boolean> {
    const next = this.#nextTimer(Number.POSITIVE_INFINITY);
    if (next === undefined) return false;
    await this.advance(next.dueAt - this.#elapsed);
    return true;
  }

  #nextTimer(end: number): PendingTimer | undefined {
    let next: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt > end) continue;
      const isEarlier =
        next === undefined ||
        timer.dueAt < next.dueAt ||
        (timer.dueAt === next.dueAt && timer.order < next.order);
      if (isEarlier) next = timer;
    }
    return next;
  }
}

/** Runs pending promises and immediates. */
function flushPromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
