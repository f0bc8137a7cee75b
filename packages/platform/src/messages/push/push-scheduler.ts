import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import { timestamp } from '../../time/clock.ts';
import { canPush, LONGEST_RETRY_MS } from '../delivery.rules.ts';
import type { MessageRow, MessageStore } from '../message.store.ts';
import type { MessageQueue } from '../message-queue.ts';
import type { OutcomeRecorder } from '../outcome/outcome-recorder.ts';
import type { OutcomeWaiters } from '../outcome/outcome-waiters.ts';
import { isAbandoned } from './lease-owner.ts';
import type { AttemptEnd, PushAttempts } from './push-attempt.ts';
import type { PushContent } from './push-body.rules.ts';

/** Maximum number of concurrent pushes to one agent for messages that arrive at an empty queue. */
const MAX_LIVE_PUSHES = 64;
/** The database is read for work so often, although nothing is known of any, in milliseconds. */
const READ_EVERY_MS = 5 * 60_000;

export interface PushSchedulerOptions extends Pick<PlatformContext, 'clock' | 'database' | 'logger'> {
  readonly store: MessageStore;
  readonly queue: MessageQueue;
  readonly attempts: PushAttempts;
  readonly outcomes: OutcomeRecorder;
  readonly waiters: OutcomeWaiters;
  readonly workspaces: WorkspaceDirectory;
  readonly owner: string;
}

/** The state of one target in this process. */
interface TargetState {
  live: number;
  draining: number;
  checking: boolean;
  checkAgain: boolean;
  /** The queue was empty at the last check and nothing was added since. */
  empty: boolean;
  cancelRetry: () => void;
}

/**
 * Pushes queued messages to their agents, each under a lease, in order for each target. A message that arrives at an
 * empty queue is pushed at once, up to 64 for one target, so that a nested call cannot wait for its own caller; a
 * backlog is drained oldest first, `max_concurrent_tasks` at a time. A message that waits for a retry delays those
 * behind it, so that they arrive in order and do not use up attempts.
 */
export class PushScheduler {
  readonly #options: PushSchedulerOptions;
  readonly #targets = new Map<string, TargetState>();
  readonly #running = new Set<Promise<void>>();
  /** The messages whose attempt runs in this process. Their leases do not expire, whatever the wall clock does. */
  readonly #inFlight = new Set<string>();
  readonly #stopping = new AbortController();
  /** Messages may be leased, or wait for a target to which they can be pushed. */
  #mayHaveWork = true;
  /** When the database was read for work last, on the monotonic clock. */
  #readAt = 0;

  constructor(options: PushSchedulerOptions) {
    this.#options = options;
    options.queue.onChanged(({ targetId, pushable }) => {
      this.#stateOf(targetId).empty = false;
      if (pushable) this.drain(targetId);
    });
  }

  /** Whether the queue of this target is known to be empty; false before the first check. */
  isEmpty(targetId: string): boolean {
    return this.#targets.get(targetId)?.empty === true;
  }

  /**
   * Returns a lease for a message that is about to be stored, if it can be pushed right after the commit: the queue is
   * empty and the agent has capacity, of which one place is reserved. `push` uses the place, `release` frees it. Call it
   * inside the transaction, because the next message may be in the same commit.
   */
  async reserve(
    unit: UnitOfWork,
    targetId: string,
  ): Promise<ReturnType<PushAttempts['newLease']> | undefined> {
    const state = this.#stateOf(targetId);
    const hasCapacity = !this.#stopping.signal.aborted && state.live < MAX_LIVE_PUSHES;
    const { store, attempts } = this.#options;
    const isFirst =
      hasCapacity && (state.empty || (await store.findOldestPending(targetId, unit.trx)) === undefined);
    if (!isFirst) {
      state.empty = false;
      return undefined;
    }
    state.live += 1;
    unit.onRollback(() => this.release(targetId));
    return attempts.newLease();
  }

  release(targetId: string): void {
    this.#stateOf(targetId).live -= 1;
  }

  /** Pushes a message that was stored with a lease of `reserve`. */
  push(message: MessageRow, content: PushContent): void {
    this.#mayHaveWork = true;
    const targetId = message.target_id;
    this.#track(this.#attempt(message, this.#stateOf(targetId), content), () => {
      this.release(targetId);
      this.drain(targetId);
    });
  }

  /** Pushes the pending messages of a workspace that may have become reachable. */
  retry(targetId: string): void {
    this.#stateOf(targetId).empty = false;
    this.drain(targetId);
  }

  /** Pushes the messages that are due; does nothing when the queue is known to be empty. */
  drain(targetId: string): void {
    const state = this.#stateOf(targetId);
    if (this.#stopping.signal.aborted || state.empty) return;
    this.#mayHaveWork = true;
    state.checkAgain = true;
    if (!state.checking) this.#track(this.#check(targetId, state), () => {});
  }

  /**
   * Releases leases that have expired or whose process has ended, then drains every target with pending messages. Reads nothing when the
   * last call found neither, and nothing was pushed or drained since.
   */
  async recover(): Promise<void> {
    const { clock, store, attempts, workspaces, owner } = this.#options;
    if (!this.#mayHaveWork && clock.monotonic() - this.#readAt < READ_EVERY_MS) return;
    const now = timestamp(clock);
    this.#mayHaveWork = false;
    // The next call reads again if this one fails.
    this.#readAt = Number.NEGATIVE_INFINITY;
    for (const message of await store.listLeased()) {
      this.#mayHaveWork = true;
      if (this.#inFlight.has(message.id)) continue;
      const hasExpired = message.lease_until === null || message.lease_until < now;
      if (!hasExpired && !isAbandoned(message.lease_owner ?? '', owner)) continue;
      await attempts.requeue(message, { attempts: message.attempts });
    }
    const targets = await workspaces.findMany(await store.listPendingTargets());
    for (const target of targets) if (canPush(target)) this.retry(target.id);
    this.#readAt = clock.monotonic();
  }

  /** Aborts running pushes; their messages stay queued and the attempts do not count. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const state of this.#targets.values()) state.cancelRetry();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #stateOf(targetId: string): TargetState {
    const known = this.#targets.get(targetId);
    if (known !== undefined) return known;
    const idle = { live: 0, draining: 0, checking: false, checkAgain: false, empty: false };
    const state: TargetState = { ...idle, cancelRetry: () => {} };
    this.#targets.set(targetId, state);
    return state;
  }

  #track(work: Promise<void>, after: () => void): void {
    const tracked = work
      .catch((error: unknown) => {
        const fields = { reason: String(error) };
        const text = 'Failed to record a push; the message is pushed again when its lease expires';
        this.#options.logger.error(fields, text);
      })
      .then(() => {
        this.#running.delete(tracked);
        after();
      });
    this.#running.add(tracked);
  }

  async #check(targetId: string, state: TargetState): Promise<void> {
    state.checking = true;
    try {
      while (state.checkAgain && !this.#stopping.signal.aborted) {
        state.checkAgain = false;
        for (;;) {
          const message = await this.#takeNext(targetId, state);
          if (message === undefined) break;
          state.draining += 1;
          this.#track(this.#attempt(message, state), () => {
            state.draining -= 1;
            this.drain(targetId);
          });
        }
      }
    } finally {
      state.checking = false;
    }
  }

  async #takeNext(targetId: string, state: TargetState): Promise<MessageRow | undefined> {
    if (this.#stopping.signal.aborted) return undefined;
    const { clock, database, store, workspaces, attempts } = this.#options;
    return database.transaction(async (unit) => {
      const next = await this.#findNext(unit, targetId);
      state.empty = next === undefined;
      if (next === undefined) return undefined;
      const dueIn = next.next_attempt_at === null ? 0 : Date.parse(next.next_attempt_at) - clock.now();
      if (dueIn > 0 && dueIn <= LONGEST_RETRY_MS) {
        this.#drainLater(targetId, state, dueIn);
        return undefined;
      }
      const target = await workspaces.find(targetId, unit.trx);
      if (target === undefined || !canPush(target)) return undefined;
      if (state.draining >= Math.max(1, target.max_concurrent_tasks)) return undefined;
      return store.lease(next, attempts.newLease(), unit.trx);
    });
  }

  /** The message that is next in the order of its target; those that have expired end instead. */
  async #findNext(unit: UnitOfWork, targetId: string): Promise<MessageRow | undefined> {
    const { clock, store, outcomes } = this.#options;
    for (;;) {
      const next = await store.findOldestPending(targetId, unit.trx);
      const isExpired = next?.expires_at != null && next.expires_at <= timestamp(clock);
      if (next === undefined || !isExpired) return next;
      await outcomes.endMessage(unit, next, { state: 'expired' });
    }
  }

  async #attempt(message: MessageRow, state: TargetState, content?: PushContent): Promise<void> {
    this.#inFlight.add(message.id);
    let end: AttemptEnd;
    try {
      end = await this.#options.attempts.run(message, this.#stopping.signal, content);
    } finally {
      this.#inFlight.delete(message.id);
    }
    if (end.kind !== 'requeued') return;
    state.empty = false;
    if (end.delayMs !== undefined) this.#drainLater(message.target_id, state, end.delayMs);
    this.#options.waiters.requeued(message.id);
  }

  #drainLater(targetId: string, state: TargetState, delayMs: number): void {
    state.cancelRetry();
    if (this.#stopping.signal.aborted) return;
    state.cancelRetry = this.#options.clock.schedule(delayMs, () => this.drain(targetId));
  }
}
