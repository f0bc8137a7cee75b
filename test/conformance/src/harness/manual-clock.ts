interface Pending {
  readonly dueAt: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Time that moves only when told to, in the form that the platform takes (`schedule`) and in the one that
 * core takes (`sleep`, `setTimer`), so that both sides of a test can share it.
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

  /** Moves time on, running what falls due in order; promises and sockets get a few turns in between. */
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
    for (let passed = 0; passed <= limitMs; passed += stepMs) {
      if (await condition()) return;
      await this.advance(stepMs);
    }
    throw new Error(`still not so after ${limitMs / 1_000} s of manual time`);
  }

  /** Sets the wall clock forward or back, as an operator or NTP does; timers and intervals do not notice. */
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

/** Kinds of requests to the operating system that nobody should be overtaken at by a clock that flies. */
const UNDER_WAY = new Set(['FSReqCallback', 'FSReqPromise', 'GetAddrInfoReqWrap', 'TCPConnectWrap']);
const QUIET_TURNS = 8;
const MOST_TURNS = 5_000;

/** Lets promise chains, sockets that have something to read, and files that are being written, go on. */
async function turns(): Promise<void> {
  let quiet = 0;
  for (let turn = 0; turn < MOST_TURNS && quiet < QUIET_TURNS; turn += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const isBusy = process.getActiveResourcesInfo().some((kind) => UNDER_WAY.has(kind));
    quiet = isBusy ? 0 : quiet + 1;
  }
}
