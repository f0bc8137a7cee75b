/**
 * A `Map` that takes memory from its first entry on. An agent has dozens of maps, most of which stay empty for as long as it runs, and
 * an empty `Map` has a table of its own.
 */
export class LazyMap<K, V> {
  #entries: Map<K, V> | undefined;

  constructor(entries: Iterable<readonly [K, V]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  get(key: K): V | undefined {
    return this.#entries?.get(key);
  }

  has(key: K): boolean {
    return this.#entries?.has(key) ?? false;
  }

  set(key: K, value: V): this {
    this.#entries ??= new Map();
    this.#entries.set(key, value);
    return this;
  }

  delete(key: K): boolean {
    return this.#entries?.delete(key) ?? false;
  }

  clear(): void {
    this.#entries?.clear();
  }

  keys(): IterableIterator<K> {
    return this.#entries?.keys() ?? [].values();
  }

  values(): IterableIterator<V> {
    return this.#entries?.values() ?? [].values();
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#entries?.entries() ?? [].values();
  }
}
