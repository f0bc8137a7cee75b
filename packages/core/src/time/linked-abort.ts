/** An abort controller of its own that also follows other signals. */
export interface LinkedAbort {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Stops following the other signals. Call it when the work is over, or listeners pile up on long-lived ones. */
  unlink(): void;
  [Symbol.dispose](): void;
}

/**
 * Makes an abort controller that aborts, with the same reason, as soon as one of `parents` does. Unlike
 * `AbortSignal.any` it can be unlinked at once, so a signal that lives as long as the process collects nothing.
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
 * Waits for `promise`, but no longer than until `signal` aborts: then it rejects with the signal's reason at once.
 * Leaves no listener behind.
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
