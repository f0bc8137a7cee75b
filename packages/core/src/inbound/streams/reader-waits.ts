import type { Clock, Timer } from '../../time/clock.ts';

/** How long the handler of one message waits for its readers, in all. */
const MAX_WAIT_MS = 5_000;

export interface ReaderWaitsOptions {
  readonly clock: Clock;
  /** Whether a message waits until a handler has ended. */
  readonly isPlaceWanted: () => boolean;
}

/** Limits how long handlers wait for the readers of their answers: nobody holds their places by not reading. */
export class ReaderWaits {
  readonly #options: ReaderWaitsOptions;
  readonly #waiting = new Set<ReaderWait>();

  constructor(options: ReaderWaitsOptions) {
    this.#options = options;
  }

  /** For one message. */
  begin(): ReaderWait {
    return new ReaderWait(this.#options, this.#waiting);
  }

  /** Call it when a message begins to wait for a place: handlers go on. */
  placeWanted(): void {
    for (const wait of [...this.#waiting]) wait.happened();
  }
}

export class ReaderWait {
  readonly #options: ReaderWaitsOptions;
  readonly #waiting: Set<ReaderWait>;
  readonly #changes = new Changes();
  #leftMs = MAX_WAIT_MS;
  #beganAt = 0;
  #timer: Timer | undefined;

  constructor(options: ReaderWaitsOptions, waiting: Set<ReaderWait>) {
    this.#options = options;
    this.#waiting = waiting;
  }

  /** Resolves when {@link happened} is called, or the time is over; `null` when the handler does not wait. */
  next(): Promise<void> | null {
    const { clock, isPlaceWanted } = this.#options;
    if (this.#leftMs <= 0 || isPlaceWanted()) return null;
    if (this.#timer === undefined) {
      this.#beganAt = clock.monotonic();
      this.#timer = clock.setTimer(this.#leftMs, () => this.happened());
      this.#waiting.add(this);
    }
    return this.#changes.next();
  }

  /** A reader has taken something, or left. */
  happened(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#waiting.delete(this);
    this.#leftMs -= this.#options.clock.monotonic() - this.#beganAt;
    this.#changes.happened();
  }
}

/** Wakes those who wait for something to change. */
export class Changes {
  #next: PromiseWithResolvers<void> | undefined;

  happened(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }

  /** Resolves at the next change. */
  next(): Promise<void> {
    this.#next ??= Promise.withResolvers<void>();
    return this.#next.promise;
  }
}
