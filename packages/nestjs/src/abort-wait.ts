export const ABORTED = Symbol('aborted');

/**
 * Waits that end when a signal aborts, one at a time. They share one listener: `Promise.race` with one promise for all of them would keep each
 * result until that promise settles.
 */
export class AbortWait {
  readonly #signal: AbortSignal;
  #leave = () => {};
  readonly #onAbort = () => this.#leave();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The result of the work, or {@link ABORTED}. */
  for<T>(work: T | PromiseLike<T>): Promise<T | typeof ABORTED> {
    return new Promise((resolve, reject) => {
      this.#leave = () => resolve(ABORTED);
      if (this.#signal.aborted) this.#leave();
      Promise.resolve(work).then(resolve, reject);
    });
  }

  /** Call it when there is nothing to wait for any more. */
  end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}
