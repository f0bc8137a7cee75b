import type { PlatformLogger } from '../logging/logger.ts';
import type { Clock } from './clock.ts';

/** Runs background tasks again and again, each never twice at the same time; a failed run is followed by the next. */
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

  /** True from `stop` on; long work looks at it between its steps. */
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
    const running = work()
      .catch((error: unknown) => {
        this.#logger.error({ task: name, reason: String(error) }, `Background task failed: ${name}`);
      })
      .then(() => {
        this.#running.delete(running);
        after();
      });
    this.#running.add(running);
  }

  /** Starts nothing any more and waits for what runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#cancels.values()) cancel();
    await Promise.all(this.#running);
  }
}
