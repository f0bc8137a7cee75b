/** A map of the entries that were set last, at most `capacity`. The oldest is first. */
export class LatestMap<V> extends Map<string, V> {
  readonly #capacity: number;
  /** One for good, which is at the oldest entry: a new one would first pass all that were deleted since the map last grew. */
  #oldest: Iterator<[string, V]> | undefined;

  constructor(capacity: number) {
    super();
    this.#capacity = capacity;
  }

  /** Adds an entry as the latest one, also when there is one with this key. */
  override set(key: string, value: V): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.#capacity) this.deleteOldest();
    return this;
  }

  /** Returns what it deleted; `undefined` when the map is empty. */
  deleteOldest(): V | undefined {
    // An iterator that has reached the end stays there.
    if (this.size === 0) return undefined;
    this.#oldest ??= this.entries();
    const { value: entry } = this.#oldest.next();
    if (entry === undefined) return undefined;
    this.delete(entry[0]);
    return entry[1];
  }
}
