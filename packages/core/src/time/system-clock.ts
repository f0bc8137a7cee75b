import type { Clock } from './clock.ts';

const MAX_TIMER_MS = 2 ** 31 - 1;

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
