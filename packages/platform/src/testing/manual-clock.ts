import { setTimeout as realTime } from 'node:timers/promises';
import { inspect } from 'node:util';
import { cryptographyEnd } from './cryptography.ts';

/** Turns of the event loop without any activity after which nothing more happens by itself. */
const IDLE_TURNS = 4;
/** A loop that never waits is an error of the test. */
const MAX_TURNS = 100_000;
/** As many turns as work of another thread counts, because it takes longer. */
const TURNS_OF_CRYPTOGRAPHY = 10;
/** What the operating system does, by the names of Node; of the work of other threads only cryptography is known. */
const PENDING_WORK = /^(?:FSReq|CloseReq|GetAddrInfoReqWrap|TCPConnectWrap)/;
/** Steps of `advanceUntil` with a pause of real time for what threads and other processes do. */
const SLOW_STEPS = 100;
const SLOW_STEP_MS = 2;
const nextTurn = setImmediate;

interface Timer {
  readonly dueAt: number;
  readonly order: number;
  readonly run: () => void;
}

function requireNumber(name: string, value: unknown, least = Number.NEGATIVE_INFINITY): void {
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return;
  const range = least === 0 ? ' from 0' : least > 0 ? ' above 0' : '';
  throw new RangeError(`${name} must be a finite number of milliseconds${range}, not ${inspect(value)}.`);
}

export interface AdvanceUntilOptions {
  /** Milliseconds of this clock between two checks. @default 1_000 */
  readonly stepMs?: number;
  /** Milliseconds of this clock after which the condition has failed. @default 3_600_000 */
  readonly limitMs?: number;
}

/**
 * Time that passes only by `advance`. It is a `clock` for the platform and for the clients and agents of `@molecule-ai/core`, so that
 * one call moves all of them. Timers run in the order in which they are due.
 */
export class ManualClock {
  readonly #startAt: number;
  #elapsed = 0;
  #jumped = 0;
  #order = 0;
  /** By the time at which they are due, the first one last. */
  readonly #timers: Timer[] = [];
  #activity = 0;
  #movedAt = performance.now();
  #advancing: Promise<void> = Promise.resolve();

  /** @param startAt Unix time in milliseconds. @default 2027-01-01T00:00:00Z */
  constructor(startAt = Date.UTC(2027, 0, 1)) {
    requireNumber('startAt', startAt);
    this.#startAt = startAt;
  }

  /** Unix time in milliseconds. */
  now(): number {
    return this.#startAt + this.#elapsed + this.#jumped;
  }

  /** Milliseconds since the clock was created. */
  monotonic(): number {
    return this.#elapsed;
  }

  /** Number of timers and sleeps that have not ended. */
  get pending(): number {
    return this.#timers.length;
  }

  /** The real time of the last call that moved time on, as of `performance.now()`. */
  get movedAt(): number {
    return this.#movedAt;
  }

  /** Runs `task` once after `delayMs`; returns a function that cancels it. */
  schedule(delayMs: number, task: () => void): () => void {
    this.#order += 1;
    const timer = { dueAt: this.#elapsed + Math.max(0, delayMs || 0), order: this.#order, run: task };
    this.#timers.splice(this.#placeOf(timer), 0, timer);
    this.noteActivity();
    return () => this.#remove(timer);
  }

  setTimer(ms: number, callback: () => void): { cancel(): void } {
    return { cancel: this.schedule(ms, callback) };
  }

  /** Resolves after `ms`; rejects with the reason of the signal. */
  sleep(ms: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
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

  /**
   * Moves time on by `ms` and runs the timers that fall due. Before, after and between them it waits until requests, promises, file
   * operations and WebCrypto have made all the progress they can without more time. For what other threads, processes and networks do use
   * {@link advanceUntil}. Calls that overlap run one after the other. Rejects with a RangeError when `ms` is no finite number from 0.
   */
  async advance(ms: number): Promise<void> {
    requireNumber('ms', ms, 0);
    const advanced = this.#advancing.then(() => this.#advance(ms));
    this.#advancing = advanced.catch(() => {});
    return advanced;
  }

  /** Waits until nothing more happens without the passing of time. */
  settle(): Promise<void> {
    return this.advance(0);
  }

  /** Moves time on in steps until the condition holds. Rejects when it does not within the limit. */
  async advanceUntil(
    condition: () => boolean | Promise<boolean>,
    { stepMs = 1_000, limitMs = 3_600_000 }: AdvanceUntilOptions = {},
  ): Promise<void> {
    requireNumber('stepMs', stepMs, Number.MIN_VALUE);
    requireNumber('limitMs', limitMs, 0);
    await this.settle();
    for (let passed = 0, step = 0; !(await condition()); passed += stepMs, step += 1) {
      if (passed >= limitMs) {
        throw new Error(`The condition does not hold after ${limitMs / 1_000} s of the manual clock.`);
      }
      if (step < SLOW_STEPS) await realTime(SLOW_STEP_MS);
      await this.advance(stepMs);
    }
  }

  /** Moves time on in steps until the promise has settled, and returns its value. Rejects as {@link advanceUntil} and as the promise. */
  async advanceUntilSettled<T>(promise: Promise<T>, options: AdvanceUntilOptions = {}): Promise<T> {
    let hasSettled = false;
    const onSettled = () => {
      hasSettled = true;
    };
    promise.then(onSettled, onSettled);
    await this.advanceUntil(() => hasSettled, options);
    return promise;
  }

  /** Sets the wall clock forward or back, as a time server does. Timers keep their time. */
  jump(ms: number): void {
    requireNumber('ms', ms);
    this.#jumped += ms;
  }

  /** Something happened that may lead to more. */
  noteActivity(): void {
    this.#activity += 1;
  }

  async #advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await this.#settle();
    for (
      let next = this.#timers.at(-1);
      next !== undefined && next.dueAt <= end;
      next = this.#timers.at(-1)
    ) {
      this.#timers.pop();
      this.#elapsed = Math.max(this.#elapsed, next.dueAt);
      this.#movedAt = performance.now();
      next.run();
      await this.#settle();
    }
    this.#elapsed = end;
    this.#movedAt = performance.now();
  }

  async #settle(): Promise<void> {
    let seen = this.#activity;
    for (let turns = 0, idle = 0; idle < IDLE_TURNS; ) {
      await new Promise<void>((resolve) => nextTurn(resolve));
      const isActive = this.#activity !== seen;
      // The operating system ends what it does, however long that takes.
      const isPending =
        idle === IDLE_TURNS - 1 && process.getActiveResourcesInfo().some((kind) => PENDING_WORK.test(kind));
      const cryptography = idle === IDLE_TURNS - 1 && !isActive ? cryptographyEnd() : undefined;
      if (isActive) turns += 1;
      if (cryptography !== undefined) turns += TURNS_OF_CRYPTOGRAPHY;
      if (turns >= MAX_TURNS) throw new Error('Something goes on without end although no time passes.');
      if (cryptography !== undefined) await cryptography;
      idle = isActive || isPending || cryptography !== undefined ? 0 : idle + 1;
      seen = this.#activity;
    }
  }

  /** The first place whose timer is due earlier. */
  #placeOf({ dueAt, order }: Timer): number {
    let [low, high] = [0, this.#timers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#timers[middle] as Timer;
      if (other.dueAt > dueAt || (other.dueAt === dueAt && other.order > order)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remove(timer: Timer): void {
    const place = this.#placeOf(timer);
    if (this.#timers[place] === timer) this.#timers.splice(place, 1);
  }
}
