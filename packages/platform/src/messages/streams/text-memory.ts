/** UTF-16 units of all texts together: 128 MiB, two bytes for each. */
const MAX_UNITS = 64 * 1024 * 1024;
/** What one text may have while there is no memory. */
const SMALL_UNITS = 64 * 1024;

/** A text that uses memory. */
export interface TextOwner {
  /** In UTF-16 units. */
  readonly length: number;
}

/** Lets several wait for something that happens more than once. */
export class Signal {
  #promise: Promise<void> | undefined;
  #resolve: () => void = () => {};

  /** Resolves when it happens the next time. */
  next(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#promise;
  }

  happen(): void {
    this.#promise = undefined;
    this.#resolve();
  }
}

/**
 * The memory of the texts of all answers that are streamed. While it is full, a long text does not grow, except one: so that
 * texts which wait for each other's memory cannot wait forever.
 */
export class TextMemory {
  readonly #maxUnits: number;
  readonly #freed = new Signal();
  #used = 0;
  #exempt: TextOwner | undefined;

  constructor(maxUnits = MAX_UNITS) {
    this.#maxUnits = maxUnits;
  }

  get isFull(): boolean {
    return this.#used >= this.#maxUnits;
  }

  add(units: number): void {
    this.#used += units;
  }

  /** Gives back memory of a text. */
  free(units: number): void {
    this.#used -= units;
    if (units > 0) this.#freed.happen();
  }

  /** The text grows no more. */
  finish(owner: TextOwner): void {
    if (this.#exempt === owner) this.#exempt = undefined;
    this.#freed.happen();
  }

  /** Whether this text may grow. Of those that may not, the first one that asks becomes the exempt one. */
  mayGrow(owner: TextOwner): boolean {
    if (!this.isFull || owner.length <= SMALL_UNITS) return true;
    this.#exempt ??= owner;
    return this.#exempt === owner;
  }

  /** Resolves when memory was given back, or a text grows no more. */
  freed(): Promise<void> {
    return this.#freed.next();
  }
}
