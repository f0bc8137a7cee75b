import type { ErrorBody, JsonObject } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import { cutText } from '../activity/text-summary.rules.ts';
import type { PlatformContext } from '../context.ts';
import { orderedId } from '../database/ordered-id.ts';
import type { MessageRecord } from '../database/schema.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { timestamp } from '../time/clock.ts';
import type { WorkspaceLookup } from '../workspaces/workspace.lookup.ts';
import { answerMessage, failureMessage } from './answer-envelope.rules.ts';
import { hashMessage } from './body-hash.rules.ts';
import { insertMessage } from './messages.store.ts';
import type { Outcome } from './outcome.rules.ts';

/** A message in which the target of a question answers it. */
export interface ReplyMessage {
  readonly envelope: JsonObject;
  readonly messageId: string;
  readonly bodyHash: string;
}

/** Brings outcomes to callers who no longer wait, as messages on their feeds (decision 11). */
export interface AnswerCourier {
  bring(unit: UnitOfWork, question: MessageRecord, outcome: Outcome, reply?: ReplyMessage): Promise<void>;
}

export interface AnswerCourierParts {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceLookup;
  /** Something was queued for this workspace. */
  readonly onQueued: (targetId: string) => void;
}

/**
 * The message it writes is an ordinary one of the queue: a polling caller reads it, a pushed one gets it posted,
 * and it waits for a caller who is away. Nobody answers it, because it is itself an answer.
 */
export function createAnswerCourier(context: PlatformContext, parts: AnswerCourierParts): AnswerCourier {
  const { activity, workspaces, onQueued } = parts;

  const queue = async (
    unit: UnitOfWork,
    question: MessageRecord,
    callerId: string,
    reply: ReplyMessage,
    error: ErrorBody | undefined,
  ) => {
    const caller = await workspaces.find(callerId, unit.trx);
    if (caller === undefined || caller.status === 'removed') return;
    const { id, seq } = await activity.record(unit, {
      workspaceId: callerId,
      direction: 'in',
      type: 'a2a_receive',
      method: 'message/send',
      sourceId: question.target_id,
      targetId: callerId,
      peerId: question.target_id,
      messageId: reply.messageId,
      inReplyTo: question.message_id,
      summary: cutText(`answer → ${caller.name}`, 200),
      request: reply.envelope,
      status: error === undefined ? 'pending' : 'error',
      errorDetail: error?.error ?? null,
      deliveryState: 'pending',
    });
    const now = timestamp(context.clock);
    await insertMessage(unit.trx, {
      queue_id: orderedId(context.clock),
      caller_key: question.target_id,
      caller_id: question.target_id,
      message_id: reply.messageId,
      target_id: callerId,
      activity_id: id,
      activity_seq: seq,
      body_hash: reply.bodyHash,
      state: 'queued',
      attempts: 0,
      answer_told: 1,
      answers_id: question.queue_id,
      created_at: now,
      updated_at: now,
    });
    unit.afterCommit(() => onQueued(callerId));
  };

  return {
    bring: async (unit, question, outcome, reply) => {
      const callerId = question.caller_id;
      if (callerId === null) return;
      const isAnswer = outcome.state === 'answered';
      const made = () => {
        const envelope = isAnswer
          ? answerMessage(question, outcome.answer)
          : failureMessage(question, outcome.error);
        const messageId = `${isAnswer ? 'answer' : 'failure'}-${question.queue_id}`;
        return { envelope, messageId, bodyHash: hashMessage(callerId, envelope) };
      };
      await queue(unit, question, callerId, reply ?? made(), isAnswer ? undefined : outcome.error);
    },
  };
}
