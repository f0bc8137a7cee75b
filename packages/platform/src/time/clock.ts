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

const RFC3339 = /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/i;

/**
 * Milliseconds since the epoch of an RFC 3339 time, a finer fraction rounded up; undefined when it is not one. In a
 * query a plus sign that was not percent-encoded arrives as a space and is read as a plus sign.
 */
export function parseRfc3339(text: string): number | undefined {
  const time = text.replace(/ (?=\d\d:\d\d$)/, '+');
  const [, day, fraction = ''] = RFC3339.exec(time) ?? [];
  const ms = Date.parse(time);
  if (day === undefined || Number.isNaN(ms) || !isDay(day)) return undefined;
  return /[1-9]/.test(fraction.slice(3)) ? ms + 1 : ms;
}

/** `Date.parse` reads 30 February as 2 March. */
function isDay(day: string): boolean {
  const time = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day);
}
