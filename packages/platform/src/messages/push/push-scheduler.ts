import type { ActivityService } from '../../activity/activity.service.ts';
import type { PlatformContext } from '../../context.ts';
import type { MessageRecord } from '../../database/schema.ts';
import { inTransaction } from '../../database/unit-of-work.ts';
import { timestamp } from '../../time/clock.ts';
import type { WorkspaceLookup } from '../../workspaces/workspace.lookup.ts';
import { canPush, LONGEST_RETRY_MS } from '../delivery.rules.ts';
import { listLeases, listQueuedTargets, readOldestQueued, takeLease } from '../message.store.ts';
import type { MessageQueue } from '../message-queue.ts';
import type { OutcomeWaiters } from '../outcome/outcome-waiters.ts';
import { isLeftBehind } from './lease-owner.ts';
import type { PushAttempts, PushContent } from './push-attempt.ts';

/** Pushes to one agent that may be under way at once for messages that found nothing ahead of them. */
const MAX_LIVE_PUSHES = 64;

export interface PushSchedulerParts {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceLookup;
  readonly waiters: OutcomeWaiters;
  readonly attempts: PushAttempts;
  readonly queue: MessageQueue;
  readonly owner: string;
}

/** What this process knows of one target. */
interface Lane {
  live: number;
  draining: number;
  looking: boolean;
  lookAgain: boolean;
  /** Nothing was queued when we looked last and nothing has been since. */
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
  readonly #context: PlatformContext;
  readonly #parts: PushSchedulerParts;
  readonly #lanes = new Map<string, Lane>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(context: PlatformContext, parts: PushSchedulerParts) {
    this.#context = context;
    this.#parts = parts;
    parts.queue.onChanged(({ targetId, pushable }) => {
      if (pushable) this.queued(targetId);
      else this.noteQueued(targetId);
    });
  }

  /** Whether a new message may go out at once, as far as this process knows. */
  hasRoom(targetId: string): boolean {
    return !this.#stopping.signal.aborted && (this.#lanes.get(targetId)?.live ?? 0) < MAX_LIVE_PUSHES;
  }

  /** Keeps a place for a message that is about to be stored under a lease; `push` gives it back, or `free`. */
  reserve(targetId: string): void {
    this.#lane(targetId).live += 1;
  }

  free(targetId: string): void {
    this.#lane(targetId).live -= 1;
  }

  /** Whether it is known that nothing waits for this target; false also when nobody has looked yet. */
  isEmpty(targetId: string): boolean {
    return this.#lanes.get(targetId)?.empty === true;
  }

  /** Pushes a message that was stored under a new lease of ours and has a place reserved. */
  push(message: MessageRecord, known: PushContent): void {
    const lane = this.#lane(message.target_id);
    this.#track(this.#attempt(message, lane, known), () => {
      this.free(message.target_id);
      this.drain(message.target_id);
    });
  }

  /** Something was queued: looks for what can be pushed now. */
  queued(targetId: string): void {
    this.noteQueued(targetId);
    this.drain(targetId);
  }

  /** Something was queued for a target that cannot be pushed to now. */
  noteQueued(targetId: string): void {
    this.#lane(targetId).empty = false;
  }

  /** Looks for what can be pushed now; costs nothing when the queue is known to be empty. */
  drain(targetId: string): void {
    const lane = this.#lane(targetId);
    if (this.#stopping.signal.aborted || lane.empty) return;
    lane.lookAgain = true;
    if (!lane.looking) this.#track(this.#look(targetId, lane), () => {});
  }

  /** Takes back leases that ran out or were left by a dead process, then drains every target with something due. */
  async recover(): Promise<void> {
    const { clock, db } = this.#context;
    const now = timestamp(clock);
    for (const message of await listLeases(db)) {
      const owner = message.lease_owner ?? '';
      const ranOut = message.lease_until === null || message.lease_until < now;
      if (!ranOut && !isLeftBehind(owner, this.#parts.owner)) continue;
      await this.#parts.attempts.putBack(message, owner, { attempts: message.attempts });
    }
    const targets = await this.#parts.workspaces.findMany(await listQueuedTargets(db));
    for (const target of targets) if (canPush(target)) this.queued(target.id);
  }

  /** Breaks off what is under way; it stays queued and the attempt does not count. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const lane of this.#lanes.values()) lane.cancelRetry();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #lane(targetId: string): Lane {
    const known = this.#lanes.get(targetId);
    if (known !== undefined) return known;
    const idle = { live: 0, draining: 0, looking: false, lookAgain: false, empty: false };
    const lane: Lane = { ...idle, cancelRetry: () => {} };
    this.#lanes.set(targetId, lane);
    return lane;
  }

  #track(work: Promise<void>, after: () => void): void {
    const tracked = work
      .catch((error: unknown) => {
        const fields = { reason: String(error) };
        this.#context.logger.error(fields, 'A push could not be recorded; its lease will run out.');
      })
      .then(() => {
        this.#underWay.delete(tracked);
        after();
      });
    this.#underWay.add(tracked);
  }

  async #look(targetId: string, lane: Lane): Promise<void> {
    lane.looking = true;
    try {
      while (lane.lookAgain && !this.#stopping.signal.aborted) {
        lane.lookAgain = false;
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
      lane.looking = false;
    }
  }

  async #takeNext(targetId: string, lane: Lane): Promise<MessageRecord | undefined> {
    if (this.#stopping.signal.aborted) return undefined;
    const { clock, db } = this.#context;
    const { activity, workspaces, attempts } = this.#parts;
    return inTransaction(db, async (unit) => {
      const next = await readOldestQueued(unit.trx, targetId);
      lane.empty = next === undefined;
      if (next === undefined) return undefined;
      const dueIn = next.next_attempt_at === null ? 0 : Date.parse(next.next_attempt_at) - clock.now();
      if (dueIn > 0 && dueIn <= LONGEST_RETRY_MS) {
        this.#lookLater(targetId, lane, dueIn);
        return undefined;
      }
      const target = await workspaces.find(targetId, unit.trx);
      if (target === undefined || !canPush(target)) return undefined;
      if (lane.draining >= Math.max(1, target.max_concurrent_tasks)) return undefined;
      const leased = await takeLease(unit.trx, next.queue_id, attempts.newLease());
      if (leased !== undefined) {
        await activity.change(unit, leased.activity_id, { deliveryState: 'leased' }, false);
      }
      return leased;
    });
  }

  async #attempt(message: MessageRecord, lane: Lane, known?: PushContent): Promise<void> {
    const end = await this.#parts.attempts.run(message, this.#stopping.signal, known);
    if (end.kind !== 'requeued') return;
    lane.empty = false;
    if (end.delayMs !== undefined) this.#lookLater(message.target_id, lane, end.delayMs);
    this.#parts.waiters.requeued(message.queue_id);
  }

  #lookLater(targetId: string, lane: Lane, delayMs: number): void {
    lane.cancelRetry();
    if (this.#stopping.signal.aborted) return;
    lane.cancelRetry = this.#context.clock.schedule(delayMs, () => this.drain(targetId));
  }
}
