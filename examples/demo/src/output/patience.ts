/** Raised when the demo as a whole took too long, naming what it waited for. */
export class OutOfPatience extends Error {}

/** One time box around the whole run, which can tell what the run is waiting for. */
export class Patience {
  /** Aborted when the time is up or the user interrupts. */
  readonly signal: AbortSignal;
  readonly #limitMs: number;

  constructor(limitMs: number, interrupted: AbortSignal) {
    this.#limitMs = limitMs;
    this.signal = AbortSignal.any([interrupted, AbortSignal.timeout(limitMs)]);
  }

  /** Waits for `work`, or throws when the time is up. */
  async until<T>(what: string, work: Promise<T>): Promise<T> {
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
    return isTimeout ? new OutOfPatience(`Waited ${this.#limitMs / 1000} s, at last for ${what}.`) : reason;
  }
}
