/** What `work` resolves with, or undefined when it has not after so many milliseconds. */
export async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Raised when the run took too long; names what it was waiting for. */
export class DeadlineExceededError extends Error {}

/** The time limit of a whole run. */
export class Deadline {
  /** Aborted when the time is up or the user interrupts. */
  readonly signal: AbortSignal;
  readonly #limitMs: number;

  constructor(limitMs: number, interrupted: AbortSignal) {
    this.#limitMs = limitMs;
    this.signal = AbortSignal.any([interrupted, AbortSignal.timeout(limitMs)]);
  }

  /**
   * Waits for `work`; `what` completes "waiting for …".
   * @throws DeadlineExceededError when the time is up first; the signal's reason when the user interrupts
   */
  async waitFor<T>(what: string, work: Promise<T>): Promise<T> {
    let cancel = () => {};
    const cancelled = new Promise<never>((_, reject) => {
      cancel = () => reject(this.#reason(what));
    });
    if (this.signal.aborted) cancel();
    this.signal.addEventListener('abort', cancel, { once: true });
    try {
      return await Promise.race([work, cancelled]);
    } catch (error) {
      throw this.signal.aborted ? this.#reason(what) : error;
    } finally {
      this.signal.removeEventListener('abort', cancel);
    }
  }

  #reason(what: string): unknown {
    const { reason } = this.signal;
    const isTimeout = reason instanceof DOMException && reason.name === 'TimeoutError';
    if (!isTimeout) return reason;
    return new DeadlineExceededError(`Stopped after ${this.#limitMs / 1000} s, waiting for ${what}.`);
  }
}
