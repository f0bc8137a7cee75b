interface Pending {
  readonly dueAt: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * A clock that moves only when a test moves it. It has the methods of the platform's clock (`schedule`) and of core's
 * (`sleep`, `setTimer`), so that both sides of a test can share one.
 */
export class ManualClock {
  #wall: number;
  #elapsed = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startAt = Date.UTC(2026, 10, 2, 9)) {
    this.#wall = startAt;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  schedule(delayMs: number, task: () => void): () => void {
    this.#order += 1;
    const pending = { dueAt: this.#elapsed + Math.max(0, delayMs), order: this.#order, run: task };
    this.#pending.add(pending);
    return () => void this.#pending.delete(pending);
  }

  setTimer(ms: number, callback: () => void): { cancel(): void } {
    return { cancel: this.schedule(ms, callback) };
  }

  sleep(ms: number, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.schedule(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Moves time on and runs what falls due, in order; between two timers, promises and sockets make progress. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await turns();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#pending.delete(next);
      this.#move(next.dueAt - this.#elapsed);
      next.run();
      await turns();
    }
    this.#move(end - this.#elapsed);
    await turns();
  }

  /** Moves time on in steps until `condition` holds; fails after `limitMs` of this clock's time. */
  async advanceUntil(
    condition: () => boolean | Promise<boolean>,
    { stepMs = 1_000, limitMs = 3_600_000 } = {},
  ): Promise<void> {
    for (let passed = 0, step = 0; passed <= limitMs; passed += stepMs, step += 1) {
      if (await condition()) return;
      // Threads that sign or write are not seen by `turns`; on a loaded machine they need some of its own time.
      if (step < SLOW_STEPS) await new Promise<void>((resolve) => setTimeout(resolve, 2));
      await this.advance(stepMs);
    }
    throw new Error(`the condition does not hold after ${limitMs / 1_000} s of manual time`);
  }

  /** Sets the wall clock forward or back, as an operator or NTP does; timers keep their time. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #move(ms: number): void {
    const forward = Math.max(0, ms);
    this.#elapsed += forward;
    this.#wall += forward;
  }

  #next(end: number): Pending | undefined {
    return [...this.#pending]
      .filter(({ dueAt }) => dueAt <= end)
      .sort((a, b) => a.dueAt - b.dueAt || a.order - b.order)[0];
  }
}

/** Steps of `advanceUntil` with a real pause. */
const SLOW_STEPS = 100;
/** Requests to the operating system that finish before the clock moves on. */
const PENDING_REQUESTS = new Set(['FSReqCallback', 'FSReqPromise', 'GetAddrInfoReqWrap', 'TCPConnectWrap']);
const IDLE_TURNS = 8;
const MAX_TURNS = 5_000;

/** Waits until promise chains, sockets with something to read, and file operations have made progress. */
async function turns(): Promise<void> {
  let idle = 0;
  for (let turn = 0; turn < MAX_TURNS && idle < IDLE_TURNS; turn += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const isBusy = process.getActiveResourcesInfo().some((kind) => PENDING_REQUESTS.has(kind));
    idle = isBusy ? 0 : idle + 1;
  }
}
