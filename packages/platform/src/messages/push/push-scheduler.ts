import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import { timestamp } from '../../time/clock.ts';
import { canPush, LONGEST_RETRY_MS } from '../delivery.rules.ts';
import type { MessageRow, MessageStore } from '../message.store.ts';
import type { MessageQueue } from '../message-queue.ts';
import type { OutcomeWaiters } from '../outcome/outcome-waiters.ts';
import { isLeftBehind } from './lease-owner.ts';
import type { PushAttempts, PushContent } from './push-attempt.ts';

/** Pushes to one agent that may be under way at once for messages that found nothing ahead of them. */
const MAX_LIVE_PUSHES = 64;

export interface PushSchedulerOptions extends Pick<PlatformContext, 'clock' | 'database' | 'logger'> {
  readonly store: MessageStore;
  readonly queue: MessageQueue;
  readonly attempts: PushAttempts;
  readonly waiters: OutcomeWaiters;
  readonly workspaces: WorkspaceDirectory;
  readonly owner: string;
}

/** What this process knows of one target. */
interface Lane {
  live: number;
  draining: number;
  checking: boolean;
  checkAgain: boolean;
  /** Nothing was queued at the last check and nothing has been since. */
  empty: boolean;
  cancelRetry: () => void;
}

/**
 * Pushes queued messages to their agents, each under a lease, in order for each target. A message that finds
 * nothing ahead of it goes out at once, up to 64 for one target, so that a nested call cannot wait for its own
 * caller; a backlog is drained oldest first, `max_concurrent_tasks` at a time. A message whose delivery failed
 * for now holds back those behind it, so that they arrive in order and do not use up attempts.
 */
export class PushScheduler {
  readonly #options: PushSchedulerOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: PushSchedulerOptions) {
    this.#options = options;
    options.queue.onChanged(({ targetId, pushable }) => {
      this.#lane(targetId).empty = false;
      if (pushable) this.drain(targetId);
    });
  }

  /** Whether it is known that nothing waits for this target; false also before the first check. */
  isEmpty(targetId: string): boolean {
    return this.#lanes.get(targetId)?.empty === true;
  }

  /**
   * A lease and a place for a message that is about to be stored, if it can be pushed right after the commit:
   * nothing is ahead of it and the agent has room. `push` uses the place up, `release` gives it back. Decided inside
   * the transaction, because the next message may be in the same commit.
   */
  async reserve(
    unit: UnitOfWork,
    targetId: string,
  ): Promise<ReturnType<PushAttempts['newLease']> | undefined> {
    const lane = this.#lane(targetId);
    const hasRoom = !this.#stopping.signal.aborted && lane.live < MAX_LIVE_PUSHES;
    const { store, attempts } = this.#options;
    const isFirst =
      hasRoom && (lane.empty || (await store.findOldestPending(targetId, unit.trx)) === undefined);
    if (!isFirst) {
      lane.empty = false;
      return undefined;
    }
    lane.live += 1;
    unit.onRollback(() => this.release(targetId));
    return attempts.newLease();
  }

  release(targetId: string): void {
    this.#lane(targetId).live -= 1;
  }

  /** Pushes a message that was stored under a lease of `reserve`. */
  push(message: MessageRow, content: PushContent): void {
    const targetId = message.target_id;
    this.#track(this.#attempt(message, this.#lane(targetId), content), () => {
      this.release(targetId);
      this.drain(targetId);
    });
  }

  /** Pushes what waits for a workspace that may have become reachable. */
  retry(targetId: string): void {
    this.#lane(targetId).empty = false;
    this.drain(targetId);
  }

  /** Pushes what can be pushed now; costs nothing when the queue is known to be empty. */
  drain(targetId: string): void {
    const lane = this.#lane(targetId);
    if (this.#stopping.signal.aborted || lane.empty) return;
    lane.checkAgain = true;
    if (!lane.checking) this.#track(this.#check(targetId, lane), () => {});
  }

  /** Takes back leases that ran out or were left by a dead process, then drains every target with something due. */
  async recover(): Promise<void> {
    const { clock, store, attempts, workspaces, owner } = this.#options;
    const now = timestamp(clock);
    for (const message of await store.listLeased()) {
      const ranOut = message.lease_until === null || message.lease_until < now;
      if (!ranOut && !isLeftBehind(message.lease_owner ?? '', owner)) continue;
      await attempts.requeue(message, { attempts: message.attempts });
    }
    const targets = await workspaces.findMany(await store.listPendingTargets());
    for (const target of targets) if (canPush(target)) this.retry(target.id);
  }

  /** Aborts what is under way; it stays queued and the attempt does not count. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const lane of this.#lanes.values()) lane.cancelRetry();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #lane(targetId: string): Lane {
    const known = this.#lanes.get(targetId);
    if (known !== undefined) return known;
    const idle = { live: 0, draining: 0, checking: false, checkAgain: false, empty: false };
    const lane: Lane = { ...idle, cancelRetry: () => {} };
    this.#lanes.set(targetId, lane);
    return lane;
  }

  #track(work: Promise<void>, after: () => void): void {
    const tracked = work
      .catch((error: unknown) => {
        const fields = { reason: String(error) };
        const text = 'A push could not be recorded; its lease will run out.';
        this.#options.logger.error(fields, text);
      })
      .then(() => {
        this.#underWay.delete(tracked);
        after();
      });
    this.#underWay.add(tracked);
  }

  async #check(targetId: string, lane: Lane): Promise<void> {
    lane.checking = true;
    try {
      while (lane.checkAgain && !this.#stopping.signal.aborted) {
        lane.checkAgain = false;
        for (;;) {
          const message = await this.#takeNext(targetId, lane);
          if (message === undefined) break;
          lane.draining += 1;
          this.#track(this.#attempt(message, lane), () => {
            lane.draining -= 1;
            this.drain(targetId);
          });
        }
      }
    } finally {
      lane.checking = false;
    }
  }

  async #takeNext(targetId: string, lane: Lane): Promise<MessageRow | undefined> {
    if (this.#stopping.signal.aborted) return undefined;
    const { clock, database, store, workspaces, attempts } = this.#options;
    return database.transaction(async (unit) => {
      const next = await store.findOldestPending(targetId, unit.trx);
      lane.empty = next === undefined;
      if (next === undefined) return undefined;
      const dueIn = next.next_attempt_at === null ? 0 : Date.parse(next.next_attempt_at) - clock.now();
      if (dueIn > 0 && dueIn <= LONGEST_RETRY_MS) {
        this.#drainLater(targetId, lane, dueIn);
        return undefined;
      }
      const target = await workspaces.find(targetId, unit.trx);
      if (target === undefined || !canPush(target)) return undefined;
      if (lane.draining >= Math.max(1, target.max_concurrent_tasks)) return undefined;
      return store.lease(next, attempts.newLease(), unit.trx);
    });
  }

  async #attempt(message: MessageRow, lane: Lane, content?: PushContent): Promise<void> {
    const end = await this.#options.attempts.run(message, this.#stopping.signal, content);
    if (end.kind !== 'requeued') return;
    lane.empty = false;
    if (end.delayMs !== undefined) this.#drainLater(message.target_id, lane, end.delayMs);
    this.#options.waiters.requeued(message.id);
  }

  #drainLater(targetId: string, lane: Lane, delayMs: number): void {
    lane.cancelRetry();
    if (this.#stopping.signal.aborted) return;
    lane.cancelRetry = this.#options.clock.schedule(delayMs, () => this.drain(targetId));
  }
}
