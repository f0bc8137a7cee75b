/** The source of time and timers for the whole platform; tests use a manual one. */
export interface Clock {
  /** Wall-clock time as milliseconds since the epoch. Only for times that are returned or stored. */
  now(): number;
  /** Monotonic milliseconds; for intervals, which a change of the wall clock must not affect. */
  monotonic(): number;
  /** Runs `task` once after `delayMs`; returns a function that cancels it. The timer does not keep the process alive. */
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

/** The wall time as the platform stores and returns it: ISO 8601, UTC, milliseconds. */
export function timestamp(clock: Clock, offsetMs = 0): string {
  return new Date(clock.now() + offsetMs).toISOString();
}
