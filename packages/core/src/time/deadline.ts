import { TimeoutError } from '../errors/timeout-error.ts';
import type { Clock } from './clock.ts';
import { linkAbort, orAborted } from './linked-abort.ts';

/** Options of {@link withDeadline}. */
export interface DeadlineOptions {
  clock: Clock;
  /** How long the work may take, in milliseconds. */
  timeoutMs: number;
  /** What takes that long, for the message: "The handler". */
  what: string;
  signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that aborts when the caller's does or when the time is up. It rejects at once in
 * both cases, also when `work` ignores its signal: with the caller's reason, or with a {@link TimeoutError}.
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
    linked.abort(new TimeoutError(`${what} took longer than ${timeoutMs} ms.`, { timeoutMs }));
  });
  try {
    return await orAborted(Promise.resolve(work(signal)), signal);
  } finally {
    timer.cancel();
  }
}
