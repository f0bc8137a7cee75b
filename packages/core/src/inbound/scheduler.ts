import type { InboundMessage } from '@molecule-ai/protocol';
import type { Logger } from '../logging/logger.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import type { Runnable, RunOutcome } from './run.ts';
import { asHandling } from './run.ts';

const BLOCKED_AFTER_MS = 60_000;
const BLOCKED_RECHECK_MS = 15_000;
const RETRY_AFTER_ERROR_MS = 1_000;

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Maximum number of messages handled at the same time. */
  readonly concurrency: number;
  /** A message has been handled for a minute while others wait for it. Long work that delays nothing is not reported. */
  readonly onBlocked: (message: InboundMessage) => void;
  readonly onUnblocked: () => void;
  /** A message waits because all places are taken, or its conversation is busy. Called once more with each that is added. */
  readonly onPlaceWanted: () => void;
  /** No message is running or waiting any more. */
  readonly onEmpty: () => void;
}

interface Job {
  readonly work: Runnable;
  /** The conversation: messages of one lane are never handled at the same time. */
  readonly lane: string;
  readonly order: number;
  readonly finished: PromiseWithResolvers<void>;
  running: LinkedAbort | undefined;
  retryTimer: Timer | undefined;
  blockedTimer: Timer | undefined;
  cancelReason: unknown;
}

/**
 * Decides when each message is handled: at most `concurrency` at the same time, sequentially within a conversation. A
 * A message that waits for its next attempt delays no other.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #jobs = new Set<Job>();
  /** Neither running nor waiting for a retry, in order of arrival. */
  readonly #waiting: Job[] = [];
  readonly #busyLanes = new Set<string>();
  readonly #blocking = new Set<Job>();
  #order = 0;
  #active = 0;
  #isHeld = true;
  #isClosed = false;
  #idle = Promise.withResolvers<void>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Number of messages being handled. */
  get active(): number {
    return this.#active;
  }

  /** Whether a message waits for another one that is handled. */
  get isPlaceWanted(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether no message is running or waiting. */
  get isEmpty(): boolean {
    return this.#jobs.size === 0;
  }

  add(work: Runnable): void {
    if (this.#isClosed) return;
    this.#order += 1;
    const job: Job = {
      work,
      lane: work.message.conversationId,
      order: this.#order,
      finished: Promise.withResolvers<void>(),
      running: undefined,
      retryTimer: undefined,
      blockedTimer: undefined,
      cancelReason: undefined,
    };
    this.#jobs.add(job);
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
    for (const job of this.#jobs) job.running?.abort(reason);
  }

  /**
   * Aborts the selected messages with `reason`. Those that wait are run with the aborted signal at once, without a slot,
   * to be finished. `finished` resolves when all of them are finished; never if the scheduler is closed before.
   */
  cancel(
    isSelected: (message: InboundMessage) => boolean,
    reason: unknown,
  ): { readonly count: number; readonly finished: Promise<unknown> } {
    const selected = [...this.#jobs].filter((job) => isSelected(job.work.message));
    for (const job of selected) {
      job.cancelReason = reason;
      if (job.running === undefined) void this.#finishWaiting(job);
      else job.running.abort(reason);
    }
    return { count: selected.length, finished: Promise.all(selected.map((job) => job.finished.promise)) };
  }

  /** Resolves when no message is being handled. Call {@link hold} first. */
  idle(): Promise<void> {
    return this.#active === 0 ? Promise.resolve() : this.#idle.promise;
  }

  /** Discards all messages and ignores the results of running ones. */
  close(): void {
    this.#isClosed = true;
    for (const job of this.#jobs) {
      job.retryTimer?.cancel();
      job.blockedTimer?.cancel();
    }
    this.#jobs.clear();
    this.#waiting.length = 0;
  }

  #startNext(): void {
    for (let job = this.#takeNext(); job !== undefined; job = this.#takeNext()) void this.#run(job);
    if (this.isPlaceWanted) this.#options.onPlaceWanted();
  }

  #takeNext(): Job | undefined {
    if (this.#isHeld || this.#isClosed || this.#active >= this.#options.concurrency) return undefined;
    const index = this.#waiting.findIndex((job) => !this.#busyLanes.has(job.lane));
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  async #run(job: Job): Promise<void> {
    this.#active += 1;
    this.#busyLanes.add(job.lane);
    job.running = linkAbort();
    if (job.cancelReason !== undefined) job.running.abort(job.cancelReason);
    this.#watchBlocking(job, BLOCKED_AFTER_MS);
    const outcome = await this.#outcomeOf(job, job.running.signal);
    this.#unwatchBlocking(job);
    job.running = undefined;
    this.#active -= 1;
    this.#busyLanes.delete(job.lane);
    if (!this.#isClosed) this.#apply(job, outcome);
    if (this.#active === 0) {
      this.#idle.resolve();
      this.#idle = Promise.withResolvers<void>();
    }
    this.#startNext();
  }

  async #outcomeOf({ work }: Job, signal: AbortSignal): Promise<RunOutcome> {
    try {
      return await asHandling(work, () => work.run(signal));
    } catch (error) {
      this.#options.logger.error({ error, activityId: work.message.id }, 'Handling a message failed.');
      return { kind: 'retry', delayMs: RETRY_AFTER_ERROR_MS, code: 'internal_error' };
    }
  }

  /** Runs a canceled message outside of slots and lanes: its handler does not run. */
  async #finishWaiting(job: Job): Promise<void> {
    job.retryTimer?.cancel();
    job.retryTimer = undefined;
    const index = this.#waiting.indexOf(job);
    if (index !== -1) this.#waiting.splice(index, 1);
    job.running = linkAbort();
    job.running.abort(job.cancelReason);
    const outcome = await this.#outcomeOf(job, job.running.signal);
    job.running = undefined;
    if (!this.#isClosed) this.#apply(job, outcome);
    this.#startNext();
  }

  #apply(job: Job, outcome: RunOutcome): void {
    if (outcome.kind === 'ended') {
      this.#jobs.delete(job);
      job.finished.resolve();
      if (this.isEmpty) this.#options.onEmpty();
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

  #watchBlocking(job: Job, inMs: number): void {
    job.blockedTimer = this.#options.clock.setTimer(inMs, () => {
      const hasFreeSlot = this.#active < this.#options.concurrency;
      const isBlocking = this.#waiting.some((other) => !hasFreeSlot || other.lane === job.lane);
      if (!isBlocking) {
        this.#watchBlocking(job, BLOCKED_RECHECK_MS);
        return;
      }
      this.#blocking.add(job);
      if (this.#blocking.size === 1) this.#options.onBlocked(job.work.message);
    });
  }

  #unwatchBlocking(job: Job): void {
    job.blockedTimer?.cancel();
    if (this.#blocking.delete(job) && this.#blocking.size === 0 && !this.#isClosed)
      this.#options.onUnblocked();
  }
}
