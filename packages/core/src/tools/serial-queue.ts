/** Work of one key, one after the other. Messages of one conversation are so already, but late answers are handled in the conversation that asked. */
export class SerialQueue {
  /** The end of the last work of each key that has some. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** @throws the reason of the signal, also while it waits. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const turn = (async () => {
      if (before !== undefined) await Promise.race([before, abortOf(signal)]);
      return work();
    })();
    const end = Promise.allSettled([before, turn]);
    this.#last.set(key, end);
    void end.then(() => {
      if (this.#last.get(key) === end) this.#last.delete(key);
    });
    return turn;
  }
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
}
