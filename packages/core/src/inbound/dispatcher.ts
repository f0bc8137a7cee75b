import type { InboundMessage } from '@molecule-ai/protocol';
import type { Logger } from '../logging/logger.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import { BlockageWatch } from './blockage-watch.ts';
import type { ProcessingOutcome } from './processing-outcome.ts';

const BLOCKED_AFTER_MS = 600_000;

/** What a {@link Dispatcher} needs. */
export interface DispatcherOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Most messages handled at the same time. */
  readonly concurrency: number;
  readonly process: (message: InboundMessage, signal: AbortSignal) => Promise<ProcessingOutcome>;
  /** A message is handled for ten minutes, and others wait for it. */
  readonly onBlocked: (message: InboundMessage) => void;
  readonly onFree: () => void;
}

interface Job {
  readonly message: InboundMessage;
  readonly lane: string;
  readonly order: number;
  running: LinkedAbort | undefined;
  timer: Timer | undefined;
  cancelReason: unknown;
  readonly finished: PromiseWithResolvers<void>;
}

/** What {@link Dispatcher.cancel} found. */
export interface Cancellation {
  readonly count: number;
  /** Resolves when none of them is left; never, when the dispatcher is closed before. */
  readonly finished: Promise<unknown>;
}

/**
 * Decides which message is handled when: at most `concurrency` at once, one after the other within a conversation.
 * A message that waits for its next attempt holds back its conversation and nobody else.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #jobs = new Set<Job>();
  readonly #waiting: Job[] = [];
  readonly #busyLanes = new Set<string>();
  readonly #blockages: BlockageWatch<Job>;
  #order = 0;
  #active = 0;
  #isHeld = true;
  #isClosed = false;
  #idle = Promise.withResolvers<void>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#blockages = new BlockageWatch({
      clock: options.clock,
      limitMs: BLOCKED_AFTER_MS,
      isInTheWay: (job) => this.#isInTheWay(job),
      onBlocked: (job) => options.onBlocked(job.message),
      onFree: () => options.onFree(),
    });
  }

  /** Messages being handled now. */
  get active(): number {
    return this.#active;
  }

  /** Messages that are not finished, the ones being handled included. */
  get size(): number {
    return this.#jobs.size;
  }

  add(message: InboundMessage): void {
    if (this.#isClosed) return;
    this.#order += 1;
    const lane = laneOf(message);
    const job: Job = {
      message,
      lane,
      order: this.#order,
      running: undefined,
      timer: undefined,
      cancelReason: undefined,
      finished: Promise.withResolvers<void>(),
    };
    this.#jobs.add(job);
    this.#waiting.push(job);
    this.#pump();
  }

  /** Starts handling, or goes on after {@link hold}. */
  release(): void {
    this.#isHeld = false;
    this.#pump();
  }

  /** Starts no further message; those being handled go on. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Ends what is being handled; it is put back unless its end made it finished. */
  abortRunning(reason: unknown): void {
    for (const job of this.#jobs) job.running?.abort(reason);
  }

  /** Ends the messages that `isMeant` picks, for good. Tells how many there were and when they are finished. */
  cancel(isMeant: (message: InboundMessage) => boolean, reason: unknown): Cancellation {
    const meant = [...this.#jobs].filter((job) => isMeant(job.message));
    for (const job of meant) {
      job.cancelReason = reason;
      job.running?.abort(reason);
      job.timer?.cancel();
      if (job.timer !== undefined) this.#requeue(job);
    }
    this.#pump();
    return { count: meant.length, finished: Promise.all(meant.map((job) => job.finished.promise)) };
  }

  /** Resolves when nothing is being handled. Hold first, or it may never be so. */
  idle(): Promise<void> {
    return this.#active === 0 ? Promise.resolve() : this.#idle.promise;
  }

  /** Drops everything; results that still come are ignored. */
  close(): void {
    this.#isClosed = true;
    this.#blockages.close();
    for (const job of this.#jobs) job.timer?.cancel();
    this.#jobs.clear();
    this.#waiting.length = 0;
  }

  #pump(): void {
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
    const { signal } = job.running;
    this.#blockages.started(job);
    const outcome = await this.#process(job, signal);
    this.#blockages.ended(job);
    job.running = undefined;
    this.#active -= 1;
    if (!this.#isClosed) this.#settle(job, outcome);
    if (this.#active === 0) {
      this.#idle.resolve();
      this.#idle = Promise.withResolvers<void>();
    }
    this.#pump();
  }

  async #process(job: Job, signal: AbortSignal): Promise<ProcessingOutcome> {
    try {
      return await this.#options.process(job.message, signal);
    } catch (error) {
      this.#options.logger.error({ error, activityId: job.message.id }, 'Handling a message failed.');
      return { kind: 'retry', delayMs: 1_000 };
    }
  }

  #settle(job: Job, outcome: ProcessingOutcome): void {
    if (outcome.kind === 'finished') {
      this.#jobs.delete(job);
      this.#busyLanes.delete(job.lane);
      job.finished.resolve();
      return;
    }
    if (outcome.kind === 'interrupted') {
      this.#requeue(job);
      return;
    }
    // The lane stays busy: later messages of the conversation wait, other conversations go on.
    job.timer = this.#options.clock.setTimer(outcome.delayMs, () => {
      this.#requeue(job);
      this.#pump();
    });
    if (job.cancelReason !== undefined) this.#requeue(job);
  }

  #isInTheWay(job: Job): boolean {
    const hasFreeSlot = this.#active < this.#options.concurrency;
    return this.#waiting.some((other) => !hasFreeSlot || other.lane === job.lane);
  }

  #requeue(job: Job): void {
    job.timer?.cancel();
    job.timer = undefined;
    this.#busyLanes.delete(job.lane);
    const next = this.#waiting.findIndex((other) => other.order > job.order);
    this.#waiting.splice(next === -1 ? this.#waiting.length : next, 0, job);
  }
}

function laneOf(message: InboundMessage): string {
  const conversation = message.contextId === '' ? '' : `context:${message.contextId}`;
  return `${message.source}|${message.sourceId}|${conversation}`;
}
