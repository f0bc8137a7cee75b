import { processState } from '../storage/process-state.ts';
import { observeLag } from '../telemetry/telemetry.ts';
import { systemClock } from '../time/clock.ts';

/** Time between two measurements, in milliseconds: one costs a few microseconds. */
const INTERVAL_MS = 500;
const WINDOW_MS = 30_000;

/** Measures how late the timers of this process run, while somebody uses it. One for all agents. */
export class EventLoopLag {
  #users = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopObserving: () => void = () => {};
  #dueAt = 0;
  #windowStart = 0;
  #currentMs = 0;
  #earlierMs = 0;

  /** Starts to measure; returns what ends the use, once. */
  use(): () => void {
    this.#users += 1;
    if (this.#users === 1) this.#start();
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#stopObserving();
    };
  }

  /** Largest lag of the last 30 to 60 s, in whole milliseconds; `null` while nobody uses it. */
  get largestMs(): number | null {
    if (this.#timer === undefined) return null;
    this.#measure();
    return Math.round(Math.max(this.#currentMs, this.#earlierMs));
  }

  #start(): void {
    this.#currentMs = 0;
    this.#earlierMs = 0;
    this.#windowStart = systemClock.monotonic();
    this.#dueAt = this.#windowStart + INTERVAL_MS;
    this.#stopObserving = observeLag(() => this.largestMs);
    this.#timer = setInterval(() => {
      this.#measure();
      const now = systemClock.monotonic();
      this.#dueAt = now + INTERVAL_MS;
      if (now - this.#windowStart < WINDOW_MS) return;
      this.#windowStart = now;
      this.#earlierMs = this.#currentMs;
      this.#currentMs = 0;
    }, INTERVAL_MS).unref();
  }

  #measure(): void {
    this.#currentMs = Math.max(this.#currentMs, systemClock.monotonic() - this.#dueAt);
  }
}

/** The lag of this process. */
export function eventLoopLag(): EventLoopLag {
  return processState('event-loop-lag/1', () => new EventLoopLag());
}
