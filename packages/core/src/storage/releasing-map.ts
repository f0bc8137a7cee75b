/**
 * A map for values that come and go quickly: a deleted value can be collected. When a `Map` replaces its table, the old one keeps what was in it
 * and refers to the new one, so that with thousands of changes a second most values live until the next full collection of garbage.
 */
export class ReleasingMap<V extends object> {
  readonly #entries = new Map<string, { value: V | undefined }>();

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: V): void {
    this.#entries.set(key, { value });
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.value = undefined;
    this.#entries.delete(key);
  }

  /** In the order in which they were added. */
  values(): V[] {
    return [...this.#entries.values()].flatMap(({ value }) => value ?? []);
  }
}
