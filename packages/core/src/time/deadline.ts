import { TimeoutError } from '../errors/timeout-error.ts';
import type { Clock } from './clock.ts';
import { linkAbort, orAborted } from './linked-abort.ts';

export interface DeadlineOptions {
  clock: Clock;
  /** Time limit, in milliseconds. */
  timeoutMs: number;
  /** Subject of the error message, such as "The handler". */
  what: string;
  signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that aborts with the caller's signal or at the deadline. Rejects immediately in both cases,
 * even if `work` ignores its signal: with the caller's reason, or with a {@link TimeoutError}.
 */
export async function withDeadline<T>(
  options: DeadlineOptions,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const { clock, timeoutMs, what } = options;
  options.signal?.throwIfAborted();
  using linked = linkAbort(options.signal);
  const { signal } = linked;
  const timer = clock.setTimer(timeoutMs, () => {
    linked.abort(new TimeoutError(`${what} took longer than ${Math.ceil(timeoutMs)} ms.`, { timeoutMs }));
  });
  try {
    return await orAborted(Promise.resolve(work(signal)), signal);
  } finally {
    timer.cancel();
  }
}
