/** A `Set` that takes memory from its first value on, as `LazyMap` does. */
export class LazySet<T> {
  #values: Set<T> | undefined;

  constructor(values: Iterable<T> = []) {
    for (const value of values) this.add(value);
  }

  get size(): number {
    return this.#values?.size ?? 0;
  }

  has(value: T): boolean {
    return this.#values?.has(value) ?? false;
  }

  add(value: T): this {
    this.#values ??= new Set();
    this.#values.add(value);
    return this;
  }

  delete(value: T): boolean {
    return this.#values?.delete(value) ?? false;
  }

  clear(): void {
    this.#values?.clear();
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#values?.values() ?? [].values();
  }
}
