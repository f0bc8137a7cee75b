/** Rounds of a loop, and how long they may hold the event loop together. */
const MAX_ROUNDS = 64;
const MAX_HELD_MS = 5;

/** Whether a loop of promises that are always resolved keeps timers, sockets and everything else from running. */
export class EventLoopTurn {
  #rounds = 0;
  #beganAt = 0;
  #next: Promise<void> | undefined;

  /** Call it in each round. A promise for the next turn of the event loop when this one takes long, else `null`. */
  whenLong(): Promise<void> | null {
    this.#rounds += 1;
    if (this.#rounds === 1) this.#begin();
    const isLong = this.#rounds > MAX_ROUNDS && performance.now() - this.#beganAt >= MAX_HELD_MS;
    if (!isLong) return null;
    this.#next ??= new Promise((resolve) => {
      setImmediate(resolve);
    });
    return this.#next;
  }

  #begin(): void {
    this.#beganAt = performance.now();
    setImmediate(() => {
      this.#rounds = 0;
      this.#next = undefined;
    });
  }
}
