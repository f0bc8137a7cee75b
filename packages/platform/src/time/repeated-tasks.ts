import type { PlatformLogger } from '../logging/logger.ts';
import type { Clock } from './clock.ts';

/** Runs background tasks at intervals, each at most once at a time. A failure is logged and the next run follows. */
export class RepeatedTasks {
  readonly #clock: Clock;
  readonly #logger: PlatformLogger;
  readonly #cancels = new Map<string, () => void>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(clock: Clock, logger: PlatformLogger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** True after `stop`; long tasks check it between their steps. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Runs `work` each `delayMs` after its last run ended. */
  every(name: string, delayMs: number, work: () => Promise<void>): void {
    if (this.#stopped) return;
    const start = () => this.#run(name, work, () => this.every(name, delayMs, work));
    this.#cancels.set(name, this.#clock.schedule(delayMs, start));
  }

  /** Runs `work` now, in the background. */
  once(name: string, work: () => Promise<void>): void {
    if (!this.#stopped) this.#run(name, work, () => {});
  }

  #run(name: string, work: () => Promise<void>, after: () => void): void {
    // After the timer, so that work which reads a clock reads the time at which the timers of that moment have run.
    const running = Promise.resolve()
      .then(work)
      .catch((error: unknown) => {
        this.#logger.error({ task: name, reason: String(error) }, `Background task failed: ${name}`);
      })
      .then(() => {
        this.#running.delete(running);
        after();
      });
    this.#running.add(running);
  }

  /** Starts no more runs and waits for the running ones. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancels.values()) cancel();
    await Promise.all(this.#running);
  }
}
