import { isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import { timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';
import type { WorkspaceLookup } from '../workspaces/workspace.lookup.ts';
import { createFindParties, createMessageIntake } from './accept/accept-message.service.ts';
import { deliverUpTo, listOpen, pruneMessages, readQuestion } from './message.store.ts';
import { createMessageExchange, type MessageExchange } from './message-exchange.service.ts';
import { MessageQueue } from './message-queue.ts';
import { CallerReceipts } from './outcome/caller-receipts.ts';
import { OutcomeWaiters } from './outcome/outcome-waiters.ts';
import { createOutcomeRecorder, type OutcomeListener } from './outcome/record-outcome.service.ts';
import { newLeaseOwner } from './push/lease-owner.ts';
import { createPushAttempts, type PushAuthorization } from './push/push-attempt.ts';
import { createPushEndpoint } from './push/push-endpoint.ts';
import { PushScheduler } from './push/push-scheduler.ts';

const REACHABLE_EVENTS: ReadonlySet<string> = new Set(['WORKSPACE_ONLINE', 'WORKSPACE_UPDATED']);
const HOUR_MS = 3_600_000;
const PRUNE_BATCH = 1_000;

/** What the messages room needs from the rest of the platform. */
export interface MessagesParts {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceLookup;
  readonly hierarchy: HierarchyService;
  /** Headers that prove a push to its agent; left out, none. */
  readonly authorizePush?: PushAuthorization | undefined;
  /** From 0 to 1; spreads retries. @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** Messages between workspaces: taken in durably, delivered, answered (wire contract 3.19, 4; decisions 10 to 12). */
export interface MessagesService extends MessageExchange {
  /**
   * Answers what a person asked this workspace under a message id or an activity id; false when there is no such
   * open question. `answerFor` makes the answer under the JSON-RPC id of the question.
   */
  answerCanvas(
    unit: UnitOfWork,
    workspaceId: string,
    inReplyTo: string,
    answerFor: (requestId: string | number | null) => JsonObject,
  ): Promise<boolean>;
  /** In the transaction of a removal: what waits for these workspaces fails, and its senders see it. */
  onWorkspaceRemoved(unit: UnitOfWork, workspaceIds: readonly string[]): Promise<void>;
  /** Registers who is called in the transaction in which a message gets its outcome. */
  onOutcome(listener: OutcomeListener): void;
  start(): void;
  stop(): Promise<void>;
}

export function createMessagesService(context: PlatformContext, parts: MessagesParts): MessagesService {
  const { clock, db, logger, settings } = context;
  const { activity, workspaces, hierarchy } = parts;
  const owner = newLeaseOwner();
  const waiters = new OutcomeWaiters(clock);
  const receipts = new CallerReceipts(db, clock, (error) =>
    logger.warn(
      { reason: String(error) },
      'Received outcomes could not be noted; they may be delivered again.',
    ),
  );
  const endpoint = createPushEndpoint({
    clock,
    guard: context.addressGuard,
    timeoutMs: settings.pushTimeoutMs,
  });
  const queue = new MessageQueue({ activity, clock });
  const outcomes = createOutcomeRecorder(context, { activity, workspaces, queue, waiters, receipts });
  const attempts = createPushAttempts(context, {
    ...{ activity, workspaces, outcomes, endpoint, owner },
    authorize: parts.authorizePush,
    random: parts.random ?? Math.random,
  });
  const scheduler = new PushScheduler(context, {
    ...{ activity, workspaces, waiters, attempts, queue, owner },
  });
  const intake = createMessageIntake(context, {
    ...{ activity, workspaces, queue, outcomes, attempts, scheduler },
    findParties: createFindParties({ workspaces, hierarchy }),
  });
  const exchange = createMessageExchange(context, { activity, workspaces, intake, waiters });
  const tasks = new RepeatedTasks(clock, logger);

  activity.onAcknowledged((unit, workspaceId, seq) =>
    deliverUpTo(unit.trx, workspaceId, seq, timestamp(clock)),
  );
  context.shutdown.addEventListener('abort', () => waiters.close(), { once: true });
  const unsubscribe = context.bus.subscribe(({ type, workspaceId }) => {
    // The agent came back, or how it is reached was changed: what waits for it is delivered.
    if (workspaceId !== null && REACHABLE_EVENTS.has(type)) scheduler.queued(workspaceId);
  });

  const prune = async () => {
    const before = timestamp(clock, -settings.activityRetentionDays * 24 * HOUR_MS);
    let pruned = PRUNE_BATCH;
    while (pruned === PRUNE_BATCH) pruned = await pruneMessages(db, before, PRUNE_BATCH);
  };

  return {
    ...exchange,
    answerCanvas: async (unit, workspaceId, inReplyTo, answerFor) => {
      const question = await readQuestion(unit.trx, CANVAS_CALLER, workspaceId, inReplyTo);
      if (question === undefined || question.state === 'answered') return false;
      const asked = await activity.requestOf(question.activity_id, unit.trx);
      const id = isJsonObject(asked) ? asked.id : null;
      const requestId = typeof id === 'string' || typeof id === 'number' ? id : null;
      await outcomes.answer(unit, question, answerFor(requestId));
      return true;
    },
    onWorkspaceRemoved: async (unit, workspaceIds) => {
      for (const message of await listOpen(unit.trx, workspaceIds)) {
        await outcomes.fail(unit, message, {
          error: 'workspace removed',
          code: 'workspace_removed',
          id: message.target_id,
          deleted: true,
          delivered: message.state === 'delivered',
        });
      }
      for (const workspaceId of workspaceIds) endpoint.forget(workspaceId);
    },
    onOutcome: outcomes.onOutcome,
    start: () => {
      tasks.once('deliver outcomes that a killed process had not', outcomes.recover);
      tasks.once('take the queue up again', () => scheduler.recover());
      tasks.every('drain the queue', settings.drainEveryMs, () => scheduler.recover());
      tasks.every('prune messages', HOUR_MS, prune);
    },
    stop: async () => {
      unsubscribe();
      waiters.close();
      await tasks.stop();
      await scheduler.stop();
      await endpoint.close();
      await receipts.close();
    },
  };
}
