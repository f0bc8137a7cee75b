// Not imported: the worker of the heartbeats, which contains this file, has no imports.
const { setTimeout: pause } = process.getBuiltinModule('node:timers/promises');
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Timer {
  /** Has no effect if the timer has run or was cancelled. */
  cancel(): void;
}

export interface SleepOptions {
  /** Aborts the sleep, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Whether the sleep keeps the process alive. @default true */
  keepAlive?: boolean | undefined;
}

/** The source of time; replaceable for tests. */
export interface Clock {
  /** Unix time in milliseconds; can jump. */
  now(): number;
  /** Monotonic time in milliseconds, for intervals and deadlines. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds; rejects when the signal aborts. Removes its timer and listener. */
  sleep(ms: number, options?: SleepOptions): Promise<void>;
  /**
   * Runs `callback` once after `ms` milliseconds, and after what has arrived until then: after a blocked event loop a response
   * comes before its deadline. The timer does not keep the process alive.
   */
  setTimer(ms: number, callback: () => void): Timer;
}

/** The system clock. */
export const systemClock: Clock = Object.freeze<Clock>({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, { signal, keepAlive } = {}) {
    try {
      await pause(toTimerMs(ms), undefined, { signal, ref: keepAlive });
    } catch {
      throw signal?.reason;
    }
  },
  setTimer(ms, callback) {
    let immediate: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => {
      // Not `unref`: an event loop waits for the next event before it runs such an immediate.
      immediate = setImmediate(callback);
    }, toTimerMs(ms));
    timer.unref();
    return {
      cancel: () => {
        clearTimeout(timer);
        clearImmediate(immediate);
      },
    };
  },
});

function toTimerMs(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), MAX_TIMER_MS);
}
