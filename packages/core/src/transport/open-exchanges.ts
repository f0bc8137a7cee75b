/** An exchange that has not ended. */
export interface OpenExchange {
  /** Ends it: what waits for it rejects with the reason, and its connection is closed. */
  cancel(reason: Error): void;
}

/** The exchanges of one client that have not ended. At most so many run at the same time; the others wait for their turn. */
export class OpenExchanges {
  readonly #most: number;
  readonly #running = new Set<OpenExchange>();
  /** Made for the first one: few clients reach their limit. */
  #waiting: Map<OpenExchange, () => void> | undefined;

  /** @param most `Infinity` for no limit */
  constructor(most: number) {
    this.#most = most;
  }

  /** Sends the request of an exchange now or later; not at all if it ends before. */
  add(exchange: OpenExchange, send: () => void): void {
    if (this.#running.size >= this.#most) {
      this.#waiting ??= new Map();
      this.#waiting.set(exchange, send);
      return;
    }
    this.#running.add(exchange);
    send();
  }

  /** Call when an exchange has ended. */
  delete(exchange: OpenExchange): void {
    if (this.#waiting?.delete(exchange) === true || !this.#running.delete(exchange)) return;
    // Not before the connection can be used again.
    if (this.#waiting !== undefined && this.#waiting.size > 0) setImmediate(() => this.#sendNext());
  }

  cancelAll(reason: Error): void {
    for (const exchange of [...(this.#waiting?.keys() ?? []), ...this.#running]) exchange.cancel(reason);
  }

  #sendNext(): void {
    const [next] = this.#waiting ?? [];
    if (next === undefined || this.#running.size >= this.#most) return;
    const [exchange, send] = next;
    this.#waiting?.delete(exchange);
    this.add(exchange, send);
  }
}
