import { type AnswerAccepted, isJsonObject } from '@molecule-ai/protocol';
import type { Kysely } from 'kysely';
import type { ActivityService } from '../../activity/activity.service.ts';
import type { PlatformContext } from '../../context.ts';
import { orderedId } from '../../database/ordered-id.ts';
import type { Database, MessageRecord, WorkspaceRow } from '../../database/schema.ts';
import { inTransaction, type UnitOfWork } from '../../database/unit-of-work.ts';
import type { HierarchyService } from '../../hierarchy/hierarchy.service.ts';
import { ApiError } from '../../http/api-error.ts';
import { CANVAS_CALLER } from '../../http/principal.ts';
import { timestamp } from '../../time/clock.ts';
import { requireAlive, type WorkspaceLookup } from '../../workspaces/workspace.lookup.ts';
import { type DeliveryPlan, planDelivery } from '../delivery.rules.ts';
import { hasQueued, insertMessage, readByCaller, readMessage, readQuestion } from '../message.store.ts';
import { hashMessage, type MessageQueue } from '../message-queue.ts';
import { answerOfReply } from '../outcome/outcome.rules.ts';
import type { OutcomeRecorder } from '../outcome/record-outcome.service.ts';
import type { PushAttempts } from '../push/push-attempt.ts';
import type { PushScheduler } from '../push/push-scheduler.ts';
import type { NormalMessage } from './request-message.rules.ts';

/** How much of a time stamp tells the second: a workspace's last outbound message is noted no finer. */
const SECONDS = 'yyyy-mm-ddThh:mm:ss'.length;

/** A message as it came. */
export interface IncomingMessage {
  /** The calling workspace; null for people and operators. */
  readonly callerId: string | null;
  readonly targetId: string;
  readonly message: NormalMessage;
}

/** A message that may be stored: its caller may write to its target. */
interface AdmittedMessage extends MessageParties {
  readonly callerId: string | null;
  readonly message: NormalMessage;
  readonly bodyHash: string;
}

/** What became of it. */
export type Intake =
  /** It was the answer of a question. */
  | { readonly kind: 'reply'; readonly body: AnswerAccepted }
  | {
      readonly kind: 'message';
      readonly record: MessageRecord;
      /** The target as it was when the message was stored. */
      readonly target: WorkspaceRow;
      readonly plan: DeliveryPlan;
    };

export interface MessageIntakeParts {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceLookup;
  readonly queue: MessageQueue;
  readonly outcomes: OutcomeRecorder;
  readonly attempts: PushAttempts;
  readonly scheduler: PushScheduler;
  readonly findParties: FindParties;
}

/** Takes a message in: one transaction, after which it survives everything but a lost disk (decision 12). */
export interface MessageIntake {
  /** `onStored` runs right after the commit and before any delivery, so that no answer is missed. */
  take(
    incoming: IncomingMessage,
    onStored: (record: MessageRecord, plan: DeliveryPlan) => void,
  ): Promise<Intake>;
}

export function createMessageIntake(context: PlatformContext, parts: MessageIntakeParts): MessageIntake {
  const { clock, db, settings } = context;
  const { activity, workspaces, queue, outcomes, attempts, scheduler, findParties } = parts;

  /** The stored answer of a repeated reply: the same as the first time. */
  const repeatReply = async (unit: UnitOfWork, record: MessageRecord, message: NormalMessage) => {
    const question = await readMessage(unit.trx, record.answers_id ?? '');
    const inReplyTo = question?.message_id ?? (message.view.inReplyTo || record.message_id);
    const toCaller = record.activity_id === question?.activity_id;
    return acceptedReply(record.message_id, inReplyTo, toCaller ? 'caller' : 'feed', true);
  };

  /** Makes the message the answer of the question it names, if that is still open. */
  const tryReply = async (unit: UnitOfWork, admitted: AdmittedMessage) => {
    const { callerId, target, message, bodyHash } = admitted;
    const { messageId, view } = message;
    if (callerId === null || view.inReplyTo === '') return undefined;
    const question = await readQuestion(unit.trx, target.id, callerId, view.inReplyTo);
    if (question === undefined || question.state === 'answered') return undefined;
    const asked = await activity.requestOf(question.activity_id, unit.trx);
    const answer = answerOfReply(view, isJsonObject(asked) ? asked : undefined);
    const reply = { envelope: view.envelope, messageId, bodyHash };
    const deliveredTo = await outcomes.answer(unit, question, answer, { reply });
    if (deliveredTo === 'caller') {
      // The caller gets it on its held call; this row only remembers the reply, so that a repeat is recognised.
      const now = timestamp(clock);
      await insertMessage(unit.trx, {
        queue_id: orderedId(clock),
        caller_key: callerId,
        caller_id: callerId,
        message_id: messageId,
        target_id: target.id,
        activity_id: question.activity_id,
        activity_seq: question.activity_seq,
        body_hash: bodyHash,
        state: 'delivered',
        attempts: 0,
        answer_told: 1,
        answers_id: question.queue_id,
        created_at: now,
        updated_at: now,
      });
    }
    return acceptedReply(messageId, question.message_id, deliveredTo, false);
  };

  /** A lease, when nothing is ahead of the message and it can go out at once; else it stands in the queue. */
  const findLease = async (unit: UnitOfWork, targetId: string, plan: DeliveryPlan) => {
    const isKnownEmpty = plan === 'push' && scheduler.isEmpty(targetId);
    // What waits for an agent waits in the queue too.
    if (!isKnownEmpty && (await activity.pendingCount(targetId, unit.trx)) >= settings.inboxLimit) {
      throw inboxFull();
    }
    const isFirst =
      plan === 'push' &&
      scheduler.hasRoom(targetId) &&
      (isKnownEmpty || !(await hasQueued(unit.trx, targetId)));
    // Decided now and not after the commit, because the next message may be in the same commit.
    if (!isFirst) return void scheduler.noteQueued(targetId);
    scheduler.reserve(targetId);
    unit.onRollback(() => scheduler.free(targetId));
    return attempts.newLease();
  };

  const store = async (unit: UnitOfWork, admitted: AdmittedMessage, plan: DeliveryPlan) => {
    const { callerId, caller, target, message, bodyHash } = admitted;
    const { messageId, view } = message;
    const lease = await findLease(unit, target.id, plan);
    const now = timestamp(clock);
    if (caller !== undefined && !isSameSecond(caller.last_outbound_at, now)) {
      await workspaces.update(caller.id, { last_outbound_at: now }, unit.trx);
    }
    return queue.enqueue(unit, {
      callerId,
      target,
      envelope: view.envelope,
      method: view.method,
      messageId,
      contextId: view.contextId || null,
      traceId: view.traceId || null,
      inReplyTo: view.inReplyTo || null,
      bodyHash,
      summary: `${view.method} → ${target.name}`,
      lease,
      // People learn of answers by an event and answers need no answer: neither has to be delivered to a feed.
      outcomeExpected: callerId !== null && view.expectsAnswer,
    });
  };

  return {
    take: async (incoming, onStored) => {
      const { callerId, targetId, message } = incoming;
      const bodyHash = hashMessage(targetId, message.view.envelope);
      return inTransaction(db, async (unit): Promise<Intake> => {
        const parties = await findParties(callerId, targetId, unit.trx);
        const { caller, target } = parties;
        const admitted = { ...parties, callerId, message, bodyHash };
        const plan = planDelivery(target, message.view, callerId);
        const known = await readByCaller(unit.trx, callerId ?? CANVAS_CALLER, message.messageId);
        if (known === undefined) {
          const body = await tryReply(unit, admitted);
          if (body !== undefined) return { kind: 'reply', body };
        } else if (known.answers_id !== null && known.body_hash === bodyHash) {
          return { kind: 'reply', body: await repeatReply(unit, known, message) };
        }
        if (known !== undefined) {
          if (known.body_hash !== bodyHash) throw messageIdConflict(known);
          return { kind: 'message', record: known, target, plan };
        }
        // After the repeats: what was accepted before is not refused now.
        requireBudget(target);
        const record = await store(unit, admitted, plan);
        unit.afterCommit(() => {
          onStored(record, plan);
          if (record.state === 'leased') scheduler.push(record, { caller, target, view: message.view });
        });
        return { kind: 'message', record, target, plan };
      });
    },
  };
}

function acceptedReply(
  messageId: string,
  inReplyTo: string,
  deliveredTo: 'caller' | 'feed',
  isRepeat: boolean,
): AnswerAccepted {
  return {
    status: 'answered',
    message_id: messageId,
    in_reply_to: inReplyTo,
    delivered_to: deliveredTo,
    ...(isRepeat ? { duplicate: true as const } : {}),
  };
}

function isSameSecond(before: string | null, now: string): boolean {
  return before !== null && before.slice(0, SECONDS) === now.slice(0, SECONDS);
}

function requireBudget({ monthly_spend: spent, budget_limit: limit }: WorkspaceRow): void {
  if (limit === null || spent < limit) return;
  throw new ApiError(402, 'budget_exceeded', 'workspace budget limit exceeded');
}

function messageIdConflict(known: MessageRecord): ApiError {
  return new ApiError(409, 'message_id_conflict', 'messageId was used before with another message', {
    extras: { message_id: known.message_id, field: 'params.message.messageId' },
  });
}

function inboxFull(): ApiError {
  return new ApiError(429, 'inbox_full', 'the target has too many unacknowledged messages', {
    extras: { retry_after: 30, hint: 'The agent must acknowledge what it has finished.' },
    headers: { 'retry-after': '30' },
  });
}

/** Both ends of a message as they are in its transaction. */
export interface MessageParties {
  /** Undefined for people and operators. */
  readonly caller: WorkspaceRow | undefined;
  readonly target: WorkspaceRow;
}

/**
 * Reads who writes to whom, in one statement, if that caller may write to that target; an agent learns nothing of
 * workspaces it cannot reach.
 */
export type FindParties = (
  callerId: string | null,
  targetId: string,
  db: Kysely<Database>,
) => Promise<MessageParties>;

export function createFindParties(parts: {
  readonly workspaces: WorkspaceLookup;
  readonly hierarchy: HierarchyService;
}): FindParties {
  const { workspaces, hierarchy } = parts;
  return async (callerId, targetId, db) => {
    if (callerId === null) return { caller: undefined, target: await workspaces.require(targetId, db) };
    const rows = await workspaces.findMany([callerId, targetId], db);
    const caller = rows.find(({ id }) => id === callerId);
    const found = rows.find(({ id }) => id === targetId);
    if (found === undefined) throw accessDenied();
    const target = requireAlive(found);
    if (caller === undefined || !(await hierarchy.areRelated(placeOf(caller), placeOf(target), db))) {
      throw accessDenied();
    }
    return { caller, target };
  };
}

function placeOf({ id, parent_id: parentId }: WorkspaceRow) {
  return { id, parentId };
}

function accessDenied(): ApiError {
  return new ApiError(
    403,
    'access_denied',
    'access denied: workspaces cannot communicate per hierarchy rules',
  );
}
