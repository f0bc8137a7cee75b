import { TimeoutError } from '../errors/connection-error.ts';
import type { Clock } from './clock.ts';

/**
 * Creates an abort controller that aborts, with the same reason, when one of `parents` does. Unlike `AbortSignal.any` it
 * can be unlinked, so that a signal that lives as long as the process does not collect listeners.
 */
export function linkAbort(...parents: readonly (AbortSignal | undefined)[]): LinkedAbort {
  return new LinkedAbort(parents);
}

/** An abort controller that also aborts with other signals. It is the listener itself, because an agent has several while it runs. */
export class LinkedAbort extends AbortController {
  #parents: readonly (AbortSignal | undefined)[];

  constructor(parents: readonly (AbortSignal | undefined)[]) {
    super();
    this.#parents = parents;
    for (const parent of parents) {
      if (parent?.aborted) this.abort(parent.reason);
      if (this.signal.aborted) return;
      parent?.addEventListener('abort', this, { once: true });
    }
  }

  handleEvent({ target }: Event): void {
    this.abort((target as AbortSignal).reason);
  }

  override abort(reason?: unknown): void {
    this.unlink();
    super.abort(reason);
  }

  /** Removes the listeners from the other signals. Call it when the work has ended, so that long-lived signals do not leak. */
  unlink(): void {
    for (const parent of this.#parents) parent?.removeEventListener('abort', this);
    this.#parents = [];
  }

  [Symbol.dispose](): void {
    this.unlink();
  }
}

/**
 * Resolves with `promise`, or rejects with the signal's reason as soon as `signal` aborts. Removes its listener.
 */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([aborted.promise, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

interface DeadlineOptions {
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
