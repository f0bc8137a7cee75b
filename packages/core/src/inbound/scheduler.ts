import type { InboundMessage } from '@molecule-ai/protocol';
import type { Timer } from '../time/clock.ts';
import type { InboundOptions } from './inbound-options.ts';
import type { MessageRun, RunOutcome } from './run.ts';

const BLOCKED_AFTER_MS = 60_000;
const BLOCKED_RECHECK_MS = 15_000;

interface Job {
  readonly run: MessageRun;
  /** The conversation: messages of one lane are never handled at the same time. */
  readonly lane: string;
  readonly order: number;
  /** Of a canceled message. */
  finished?: PromiseWithResolvers<void>;
  isRunning: boolean;
  retryTimer?: Timer | undefined;
  cancelReason?: unknown;
  /** When it is checked whether it blocks others, on the monotonic clock, in milliseconds. */
  checkAt: number;
  /** Its place among the jobs. */
  at: number;
}

/**
 * Decides when each message is handled: at most `concurrency` at the same time, sequentially within a conversation. A
 * A message that waits for its next attempt delays no other.
 */
export class Scheduler {
  /** Number of messages being handled. */
  active = 0;
  readonly #options: InboundOptions;
  readonly #onEmpty: () => void;
  /** In any order. Not a Set: its old tables would keep what was in them until a full collection of garbage. */
  readonly #jobs: Job[] = [];
  /** Neither running nor waiting for a retry, in order of arrival. */
  readonly #waiting: Job[] = [];
  readonly #busyLanes = new Set<string>();
  readonly #blocking = new Set<Job>();
  /** Finds out which jobs block others; it may run when none is due. */
  #blockedTimer: Timer | undefined;
  #order = 0;
  #isHeld = true;
  #isClosed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param onEmpty no message is running or waiting any more */
  constructor(options: InboundOptions, onEmpty: () => void) {
    this.#options = options;
    this.#onEmpty = onEmpty;
  }

  /** Whether a message waits for another one that is handled. */
  get isPlaceWanted(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether no message is running or waiting. */
  get isEmpty(): boolean {
    return this.#jobs.length === 0;
  }

  add(run: MessageRun): void {
    if (this.#isClosed) return;
    this.#order += 1;
    const job: Job = {
      run,
      lane: run.message.conversationId,
      order: this.#order,
      isRunning: false,
      checkAt: Number.POSITIVE_INFINITY,
      at: this.#jobs.length,
    };
    this.#jobs.push(job);
    this.#waiting.push(job);
    this.#startNext();
  }

  /** Starts handling, also after {@link hold}. */
  release(): void {
    this.#isHeld = false;
    this.#startNext();
  }

  /** Starts no more messages; those being handled continue. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Aborts the messages being handled; those that do not finish are queued again. */
  abortRunning(reason: unknown): void {
    for (const job of this.#jobs) if (job.isRunning) job.run.abort(reason);
  }

  /**
   * Aborts the selected messages with `reason`. Those that wait are run with the aborted signal at once, without a slot,
   * to be finished. `finished` resolves when all of them are finished; never if the scheduler is closed before.
   */
  cancel(
    isSelected: (message: InboundMessage) => boolean,
    reason: unknown,
  ): { readonly count: number; readonly finished: Promise<unknown> } {
    const selected = this.#jobs.filter((job) => isSelected(job.run.message));
    const finished = selected.map((job) => {
      job.finished ??= Promise.withResolvers<void>();
      job.cancelReason = reason;
      if (job.isRunning) job.run.abort(reason);
      else void this.#finishWaiting(job);
      return job.finished.promise;
    });
    return { count: selected.length, finished: Promise.all(finished) };
  }

  /** Resolves when no message is being handled. Call {@link hold} first. */
  idle(): Promise<void> {
    if (this.active === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  /** Discards all messages and ignores the results of running ones. */
  close(): void {
    this.#isClosed = true;
    for (const job of this.#jobs) {
      job.retryTimer?.cancel();
      job.run.home.withdraw();
    }
    this.#blockedTimer?.cancel();
    this.#jobs.length = 0;
    this.#waiting.length = 0;
  }

  #startNext(): void {
    for (let job = this.#takeNext(); job !== undefined; job = this.#takeNext()) void this.#run(job);
    // No handler waits for readers of its answer any more.
    if (this.isPlaceWanted) for (const job of this.#jobs) job.run.home.stream.goOn();
  }

  #takeNext(): Job | undefined {
    if (this.#isHeld || this.#isClosed || this.active >= this.#options.concurrency) return undefined;
    const index = this.#waiting.findIndex((job) => !this.#busyLanes.has(job.lane));
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  async #run(job: Job): Promise<void> {
    const { clock, observer } = this.#options;
    this.active += 1;
    this.#busyLanes.add(job.lane);
    job.isRunning = true;
    job.checkAt = clock.monotonic() + BLOCKED_AFTER_MS;
    this.#blockedTimer ??= clock.setTimer(BLOCKED_AFTER_MS, () => this.#checkBlocking());
    const outcome = await job.run.run(job.cancelReason);
    job.checkAt = Number.POSITIVE_INFINITY;
    if (this.#blocking.delete(job) && this.#blocking.size === 0 && !this.#isClosed)
      observer.recovered('handlers-blocked');
    this.active -= 1;
    this.#busyLanes.delete(job.lane);
    this.#apply(job, outcome);
    if (this.active === 0) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
    this.#startNext();
  }

  /** Runs a canceled message outside of slots and lanes: its handler does not run. */
  async #finishWaiting(job: Job): Promise<void> {
    job.retryTimer?.cancel();
    job.retryTimer = undefined;
    const index = this.#waiting.indexOf(job);
    if (index !== -1) this.#waiting.splice(index, 1);
    job.isRunning = true;
    this.#apply(job, await job.run.run(job.cancelReason));
    this.#startNext();
  }

  #apply(job: Job, outcome: RunOutcome): void {
    job.isRunning = false;
    if (this.#isClosed) return;
    if (outcome.kind === 'ended') {
      const last = this.#jobs.pop();
      if (last !== undefined && last !== job) {
        this.#jobs[job.at] = last;
        last.at = job.at;
      }
      job.finished?.resolve();
      if (this.isEmpty) this.#onEmpty();
    } else if (outcome.kind === 'interrupted' || job.cancelReason !== undefined) {
      this.#requeue(job);
    } else {
      job.retryTimer = this.#options.clock.setTimer(outcome.delayMs, () => {
        this.#requeue(job);
        this.#startNext();
      });
    }
  }

  #requeue(job: Job): void {
    job.retryTimer?.cancel();
    job.retryTimer = undefined;
    const next = this.#waiting.findIndex((other) => other.order > job.order);
    this.#waiting.splice(next === -1 ? this.#waiting.length : next, 0, job);
  }

  #checkBlocking(): void {
    const { clock, concurrency, observer } = this.#options;
    const now = clock.monotonic();
    let nextAt = Number.POSITIVE_INFINITY;
    for (const job of this.#jobs) {
      if (this.#blocking.has(job)) continue;
      const hasFreeSlot = this.active < concurrency;
      const isBlocking = this.#waiting.some((other) => !hasFreeSlot || other.lane === job.lane);
      if (job.checkAt <= now && isBlocking) {
        this.#blocking.add(job);
        if (this.#blocking.size === 1) observer.degraded('handlers-blocked', undefined, job.run.message);
        continue;
      }
      if (job.checkAt <= now) job.checkAt = now + BLOCKED_RECHECK_MS;
      nextAt = Math.min(nextAt, job.checkAt);
    }
    const isWatching = nextAt < Number.POSITIVE_INFINITY;
    this.#blockedTimer = isWatching ? clock.setTimer(nextAt - now, () => this.#checkBlocking()) : undefined;
  }
}
