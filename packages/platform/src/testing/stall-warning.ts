import type { Server, ServerResponse } from 'node:http';
import type { ManualClock } from './manual-clock.ts';

/** Reads of the feed wait whenever an agent has nothing to do; no test waits for them. */
const FEED_READ = /^GET [^?]*\/activity\?/;

/** Warns once when a request waits in real time while nobody moves the clock, which otherwise looks like a test that hangs. */
export class StallWarning {
  readonly #clock: ManualClock;
  readonly #afterMs: number;
  /** Requests without a complete response, the first one first, by the real time at which they came. */
  readonly #waiting = new Map<ServerResponse, number>();
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  /** @param afterMs real milliseconds */
  constructor(clock: ManualClock, afterMs = 2_000) {
    this.#clock = clock;
    this.#afterMs = afterMs;
  }

  watch(server: Server): void {
    server.on('request', (request, response) => {
      if (this.#hasEnded || FEED_READ.test(`${request.method} ${request.url}`)) return;
      this.#waiting.set(response, performance.now());
      response.once('close', () => this.#waiting.delete(response));
      if (this.#timer === undefined) this.#check();
    });
  }

  end(): void {
    this.#hasEnded = true;
    this.#waiting.clear();
    clearTimeout(this.#timer);
  }

  #check(): void {
    this.#timer = undefined;
    const [since] = this.#waiting.values();
    if (since === undefined) return;
    const leftMs = Math.max(since, this.#clock.movedAt) + this.#afterMs - performance.now();
    if (leftMs > 0) {
      this.#timer = setTimeout(() => this.#check(), Math.ceil(leftMs)).unref();
      return;
    }
    this.end();
    process.emitWarning(
      `A request has waited ${this.#afterMs} ms of real time. ${this.#clock.pending} timers wait for the clock: advance it.`,
      {
        type: 'TestClockWarning',
        detail: 'Start the call, then `await platform.clock.advance(ms)`, then await the call.',
      },
    );
  }
}
