const MAX_TIMER_MS = 2 ** 31 - 1;

/** A timer that has been set. */
export interface Timer {
  /** Makes it not run; harmless when it has run or was cancelled before. */
  cancel(): void;
}

/** Options of {@link Clock.sleep}. */
export interface SleepOptions {
  /** Ends the sleep: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Whether the sleep keeps the process alive. @default true */
  keepAlive?: boolean | undefined;
}

/** Time, as this package sees it; tests put a {@link ManualClock} in its place. */
export interface Clock {
  /** Unix time in milliseconds; it can jump. */
  now(): number;
  /** Milliseconds that only ever grow; for intervals and deadlines. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds, rejects at once when the signal aborts. Leaves no timer or listener. */
  sleep(ms: number, options?: SleepOptions): Promise<void>;
  /** Runs `callback` once after `ms` milliseconds. The timer does not keep the process alive. */
  setTimer(ms: number, callback: () => void): Timer;
}

/** The clock of this machine. */
export const systemClock: Clock = Object.freeze<Clock>({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, options) {
    const signal = options?.signal;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, toTimerMs(ms));
      if (options?.keepAlive === false) timer.unref();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
  setTimer(ms, callback) {
    const timer = setTimeout(callback, toTimerMs(ms));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
});

function toTimerMs(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), MAX_TIMER_MS);
}
