/** A map of the entries that were set last, at most `capacity`. */
export class LatestMap<V> {
  readonly #capacity: number;
  /** Made for the first entry: most of them stay empty. */
  #values: Map<string, V> | undefined;
  /** One for good, which is at the oldest entry: a new one would first pass all that were deleted since the map last grew. */
  #oldest: Iterator<string> | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#values?.size ?? 0;
  }

  get(key: string): V | undefined {
    return this.#values?.get(key);
  }

  has(key: string): boolean {
    return this.#values?.has(key) ?? false;
  }

  /** Adds an entry as the latest one, also when there is one with this key. */
  set(key: string, value: V): void {
    this.#values ??= new Map();
    this.#oldest ??= this.#values.keys();
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#capacity) this.deleteOldest();
  }

  delete(key: string): void {
    this.#values?.delete(key);
  }

  /** Returns what it deleted; `undefined` when the map is empty. */
  deleteOldest(): V | undefined {
    // An iterator that has reached the end stays there.
    if (this.#values === undefined || this.#oldest === undefined || this.#values.size === 0) return undefined;
    const { value: key } = this.#oldest.next();
    if (key === undefined) return undefined;
    const value = this.#values.get(key);
    this.#values.delete(key);
    return value;
  }

  /** Oldest first. */
  keys(): IterableIterator<string> {
    return this.#values?.keys() ?? [].values();
  }

  /** Oldest first. */
  entries(): IterableIterator<[string, V]> {
    return this.#values?.entries() ?? [].values();
  }

  /** Oldest first. */
  values(): IterableIterator<V> {
    return this.#values?.values() ?? [].values();
  }
}
