/** An abort controller that also aborts with other signals. */
export interface LinkedAbort {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Removes the listeners from the other signals. Call it when the work has ended, so that long-lived signals do not leak. */
  unlink(): void;
  [Symbol.dispose](): void;
}

/**
 * Creates an abort controller that aborts, with the same reason, when one of `parents` does. Unlike `AbortSignal.any` it
 * can be unlinked, so that a signal that lives as long as the process does not collect listeners.
 */
export function linkAbort(...parents: readonly (AbortSignal | undefined)[]): LinkedAbort {
  const controller = new AbortController();
  const followed: (readonly [AbortSignal, () => void])[] = [];
  const unlink = (): void => {
    for (const [parent, follow] of followed.splice(0)) parent.removeEventListener('abort', follow);
  };
  const abort = (reason?: unknown): void => {
    unlink();
    controller.abort(reason);
  };
  for (const parent of parents) {
    if (parent === undefined || controller.signal.aborted) continue;
    if (parent.aborted) {
      abort(parent.reason);
      continue;
    }
    const follow = (): void => abort(parent.reason);
    parent.addEventListener('abort', follow, { once: true });
    followed.push([parent, follow]);
  }
  return { signal: controller.signal, abort, unlink, [Symbol.dispose]: unlink };
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
