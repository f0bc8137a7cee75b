import type { InboundMessage } from '@molecule-ai/protocol';
import type { Logger } from '../../logging/logger.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../../time/linked-abort.ts';

const BLOCKED_AFTER_MS = 600_000;
const BLOCKED_RECHECK_MS = 60_000;
const RETRY_AFTER_ERROR_MS = 1_000;

/** What one run of a message led to. */
export type RunOutcome =
  | { readonly kind: 'finished' }
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** Stopped from outside: it stays as it was, and the attempt does not count. */
  | { readonly kind: 'interrupted' };

/** A message that is run until it is finished. */
export interface Runnable {
  readonly message: InboundMessage;
  /** @param signal Aborts when the run has to end now. */
  run(signal: AbortSignal): Promise<RunOutcome>;
}

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Most messages handled at the same time. */
  readonly concurrency: number;
  /** A message is handled for ten minutes, and others wait for it. Long work that delays nobody is not reported. */
  readonly onBlocked: (message: InboundMessage) => void;
  readonly onUnblocked: () => void;
}

interface Job {
  readonly work: Runnable;
  /** Messages of one lane are handled one after the other. */
  readonly lane: string;
  readonly order: number;
  readonly finished: PromiseWithResolvers<void>;
  running: LinkedAbort | undefined;
  retryTimer: Timer | undefined;
  blockedTimer: Timer | undefined;
  cancelReason: unknown;
}

/**
 * Decides which message is handled when: at most `concurrency` at once, one after the other within a conversation.
 * A message that waits for its next attempt delays its conversation and no other.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #jobs = new Set<Job>();
  /** Not running and not waiting for a retry, by order of arrival. */
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

  /** Messages being handled now. */
  get active(): number {
    return this.#active;
  }

  add(work: Runnable): void {
    if (this.#isClosed) return;
    this.#order += 1;
    const job: Job = {
      work,
      lane: laneOf(work.message),
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

  /** Starts handling, or continues after {@link hold}. */
  release(): void {
    this.#isHeld = false;
    this.#startNext();
  }

  /** Starts no further message; those being handled continue. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Aborts what is being handled; it is queued again unless it finished all the same. */
  abortRunning(reason: unknown): void {
    for (const job of this.#jobs) job.running?.abort(reason);
  }

  /**
   * Aborts the messages that `isMeant` picks with `reason`, also those that wait: each runs once more, to be finished.
   * `finished` resolves when all of them are; never, when the scheduler is closed before.
   */
  cancel(
    isMeant: (message: InboundMessage) => boolean,
    reason: unknown,
  ): { readonly count: number; readonly finished: Promise<unknown> } {
    const meant = [...this.#jobs].filter((job) => isMeant(job.work.message));
    for (const job of meant) {
      job.cancelReason = reason;
      job.running?.abort(reason);
      if (job.retryTimer !== undefined) this.#requeue(job);
    }
    this.#startNext();
    return { count: meant.length, finished: Promise.all(meant.map((job) => job.finished.promise)) };
  }

  /** Resolves when nothing is being handled. Hold first, or it may never be so. */
  idle(): Promise<void> {
    return this.#active === 0 ? Promise.resolve() : this.#idle.promise;
  }

  /** Drops everything; results that still come are ignored. */
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
    while (!this.#isHeld && !this.#isClosed && this.#active < this.#options.concurrency) {
      const index = this.#waiting.findIndex((job) => !this.#busyLanes.has(job.lane));
      const job = index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
      if (job === undefined) return;
      void this.#run(job);
    }
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
    if (!this.#isClosed) this.#apply(job, outcome);
    if (this.#active === 0) {
      this.#idle.resolve();
      this.#idle = Promise.withResolvers<void>();
    }
    this.#startNext();
  }

  async #outcomeOf({ work }: Job, signal: AbortSignal): Promise<RunOutcome> {
    try {
      return await work.run(signal);
    } catch (error) {
      this.#options.logger.error({ error, activityId: work.message.id }, 'Handling a message failed.');
      return { kind: 'retry', delayMs: RETRY_AFTER_ERROR_MS };
    }
  }

  #apply(job: Job, outcome: RunOutcome): void {
    if (outcome.kind === 'finished') {
      this.#jobs.delete(job);
      this.#busyLanes.delete(job.lane);
      job.finished.resolve();
    } else if (outcome.kind === 'interrupted' || job.cancelReason !== undefined) {
      this.#requeue(job);
    } else {
      // The lane stays busy: later messages of the conversation wait.
      job.retryTimer = this.#options.clock.setTimer(outcome.delayMs, () => {
        this.#requeue(job);
        this.#startNext();
      });
    }
  }

  #requeue(job: Job): void {
    job.retryTimer?.cancel();
    job.retryTimer = undefined;
    this.#busyLanes.delete(job.lane);
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

function laneOf(message: InboundMessage): string {
  const conversation = message.contextId === '' ? '' : `context:${message.contextId}`;
  return `${message.source}|${message.sourceId}|${conversation}`;
}
