import type { Clock } from './clock.ts';
import { linkAbort } from './linked-abort.ts';

/** A sleep that `wake()` ends early. A wake-up without a current sleep ends the next sleep immediately. */
export class WakeableSleep {
  readonly #clock: Clock;
  #isWoken = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Resolves with `true` if woken, `false` after `ms` milliseconds; rejects when aborted. */
  async sleep(ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (!this.#isWoken) await this.#wait(ms, signal);
    const wasWoken = this.#isWoken;
    this.#isWoken = false;
    return wasWoken;
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    using woken = linkAbort(signal);
    this.#wake = () => woken.abort();
    try {
      await this.#clock.sleep(Math.max(0, ms), { signal: woken.signal });
    } catch (error) {
      if (signal.aborted || !woken.signal.aborted) throw error;
    } finally {
      this.#wake = undefined;
    }
  }
}
