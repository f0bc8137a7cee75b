import type { Clock, Timer } from '../time/clock.ts';

const LOOK_AGAIN_MS = 60_000;

/** What a {@link BlockageWatch} needs. */
export interface BlockageWatchOptions<Job> {
  readonly clock: Clock;
  /** Work that takes no longer is never a blockage, in milliseconds. */
  readonly limitMs: number;
  /** Whether other work waits for this one to end. */
  readonly isInTheWay: (job: Job) => boolean;
  /** The first one is in the way. */
  readonly onBlocked: (job: Job) => void;
  /** None is any more. */
  readonly onFree: () => void;
}

/** Notices work that takes very long while other work waits for it. Long work that holds up nobody is left alone. */
export class BlockageWatch<Job> {
  readonly #options: BlockageWatchOptions<Job>;
  readonly #timers = new Map<Job, Timer>();
  readonly #blocking = new Set<Job>();

  constructor(options: BlockageWatchOptions<Job>) {
    this.#options = options;
  }

  started(job: Job): void {
    this.#lookAt(job, this.#options.limitMs);
  }

  ended(job: Job): void {
    this.#timers.get(job)?.cancel();
    this.#timers.delete(job);
    if (this.#blocking.delete(job) && this.#blocking.size === 0) this.#options.onFree();
  }

  /** Watches nothing any more. */
  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#blocking.clear();
  }

  #lookAt(job: Job, inMs: number): void {
    const look = (): void => {
      if (!this.#options.isInTheWay(job)) {
        this.#lookAt(job, LOOK_AGAIN_MS);
        return;
      }
      this.#blocking.add(job);
      if (this.#blocking.size === 1) this.#options.onBlocked(job);
    };
    this.#timers.set(job, this.#options.clock.setTimer(inMs, look));
  }
}
