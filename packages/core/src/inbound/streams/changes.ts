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
