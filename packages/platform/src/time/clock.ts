/** Where every part of the platform reads the time and sets timers; tests put a manual one in its place. */
export interface Clock {
  /** Wall-clock time as milliseconds since the epoch. Only for times that are shown or stored. */
  now(): number;
  /** Monotonic milliseconds; for intervals, which must not follow a clock that jumps. */
  monotonic(): number;
  /** Runs `task` once after `delayMs`; the answer cancels it. The timer does not keep the process alive. */
  schedule(delayMs: number, task: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule: (delayMs, task) => {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** The clock's wall time as the platform stores and shows it: ISO 8601, UTC, milliseconds. */
export function timestamp(clock: Clock, offsetMs = 0): string {
  return new Date(clock.now() + offsetMs).toISOString();
}
