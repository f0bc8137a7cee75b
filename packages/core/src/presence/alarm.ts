import type { Clock } from '../time/clock.ts';

/** A sleep that can be cut short by ringing. A ring that finds nobody asleep is kept for the next sleeper. */
export class Alarm {
  readonly #clock: Clock;
  #isRung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Resolves with `true` when it was rung, `false` when `ms` milliseconds passed; rejects when aborted. */
  async sleep(ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (!this.#isRung) await this.#wait(ms, signal);
    const wasRung = this.#isRung;
    this.#isRung = false;
    return wasRung;
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const follow = (): void => woken.abort(signal.reason);
    this.#wake = () => woken.abort();
    signal.addEventListener('abort', follow, { once: true });
    try {
      await this.#clock.sleep(Math.max(0, ms), { signal: woken.signal });
    } catch (error) {
      if (signal.aborted || !woken.signal.aborted) throw error;
    } finally {
      this.#wake = undefined;
      signal.removeEventListener('abort', follow);
    }
  }
}
