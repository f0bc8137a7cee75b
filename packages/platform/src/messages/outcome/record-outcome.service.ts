import { type ErrorBody, isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import type { ActivityService } from '../../activity/activity.service.ts';
import { cutText } from '../../activity/text-summary.rules.ts';
import type { PlatformContext } from '../../context.ts';
import type { MessageRecord } from '../../database/schema.ts';
import { inTransaction, type UnitOfWork } from '../../database/unit-of-work.ts';
import { timestamp } from '../../time/clock.ts';
import type { WorkspaceLookup } from '../../workspaces/workspace.lookup.ts';
import { listUntold, takeUntold, updateMessage } from '../message.store.ts';
import { hashMessage, type MessageQueue } from '../message-queue.ts';
import type { CallerReceipts } from './caller-receipts.ts';
import { answerMessage, failureMessage, type Outcome, storedOutcome } from './outcome.rules.ts';
import type { OutcomeWaiters } from './outcome-waiters.ts';

/** A message in which the target of a request answers it. */
export interface ReplyMessage {
  readonly envelope: JsonObject;
  readonly messageId: string;
  readonly bodyHash: string;
}

/** Called in the transaction in which a message gets its outcome, such as to complete a delegation. */
export type OutcomeListener = (unit: UnitOfWork, message: MessageRecord, outcome: Outcome) => Promise<void>;

export interface AnswerDetails {
  readonly durationMs?: number;
  /** The agent's own message that is the answer; it reaches even a caller who expected none. */
  readonly reply?: ReplyMessage;
}

/** Ends messages so that each outcome reaches its caller: on a held call, or else on its feed (decision 11). */
export interface OutcomeRecorder {
  /** Stores the agent's answer; tells whether a caller waits and gets it, or finds it on its feed. */
  answer(
    unit: UnitOfWork,
    message: MessageRecord,
    answer: JsonObject,
    details?: AnswerDetails,
  ): Promise<'caller' | 'feed'>;
  /** Stores a final error. */
  fail(unit: UnitOfWork, message: MessageRecord, error: ErrorBody): Promise<void>;
  onOutcome(listener: OutcomeListener): void;
  /** Puts outcomes on feeds that a killed process had promised to callers on held calls. */
  recover(): Promise<void>;
}

export interface OutcomeRecorderParts {
  readonly activity: ActivityService;
  readonly workspaces: WorkspaceLookup;
  readonly queue: MessageQueue;
  readonly waiters: OutcomeWaiters;
  readonly receipts: CallerReceipts;
}

export function createOutcomeRecorder(
  context: PlatformContext,
  parts: OutcomeRecorderParts,
): OutcomeRecorder {
  const { clock, db, events, logger } = context;
  const { activity, workspaces, queue, waiters, receipts } = parts;
  const listeners: OutcomeListener[] = [];

  /**
   * Sends an outcome to a caller that no longer waits, as an ordinary message of the queue: a polling caller reads
   * it, a pushed one gets it posted. It needs no answer, because it is itself one.
   */
  const enqueueOutcome = async (
    unit: UnitOfWork,
    request: MessageRecord,
    outcome: Outcome,
    reply?: ReplyMessage,
  ) => {
    const callerId = request.caller_id;
    const caller = callerId === null ? undefined : await workspaces.find(callerId, unit.trx);
    if (callerId === null || caller === undefined || caller.status === 'removed') return;
    const isAnswer = outcome.state === 'answered';
    const envelope =
      reply?.envelope ??
      (isAnswer ? answerMessage(request, outcome.answer) : failureMessage(request, outcome.error));
    await queue.enqueue(unit, {
      callerId: request.target_id,
      target: caller,
      envelope,
      method: 'message/send',
      messageId: reply?.messageId ?? `${isAnswer ? 'answer' : 'failure'}-${request.queue_id}`,
      inReplyTo: request.message_id,
      bodyHash: reply?.bodyHash ?? hashMessage(callerId, envelope),
      summary: `answer → ${caller.name}`,
      outcomeExpected: false,
      answersId: request.queue_id,
      failure: isAnswer ? undefined : (outcome.error.error ?? 'delivery failed'),
    });
  };

  const enqueueUnreceived = (queueId: string) =>
    inTransaction(db, async (unit) => {
      const message = await takeUntold(unit.trx, queueId);
      const outcome = message === undefined ? undefined : storedOutcome(message);
      if (message !== undefined && outcome !== undefined) await enqueueOutcome(unit, message, outcome);
    });

  const afterSending = (message: MessageRecord, wasReceived: boolean) => {
    if (message.answer_told === 1) return;
    if (wasReceived) return receipts.add(message.queue_id);
    enqueueUnreceived(message.queue_id).catch((error: unknown) => {
      const fields = { queueId: message.queue_id, reason: String(error) };
      logger.error(fields, "An outcome could not be put on its caller's feed; it will be after a restart.");
    });
  };

  /** Stores how a message ended and promises it to whoever waits; the promise falls with the transaction. */
  const end = async (
    unit: UnitOfWork,
    before: MessageRecord,
    outcome: Outcome,
    details: { readonly mustReachCaller: boolean; readonly reply?: ReplyMessage | undefined },
  ): Promise<'caller' | 'feed'> => {
    const claim = waiters.claim(before.queue_id);
    if (claim !== undefined) unit.onRollback(() => claim.release());
    const isPromised = claim?.hasCaller === true;
    const isOwed = before.caller_id !== null && (before.answer_told === 0 || details.mustReachCaller);
    const now = timestamp(clock);
    const change = {
      state: outcome.state,
      answer: outcome.state === 'answered' ? JSON.stringify(outcome.answer) : null,
      error: outcome.state === 'failed' ? JSON.stringify(outcome.error) : null,
      answer_told: isOwed && isPromised ? 0 : 1,
      answered_at: now,
      updated_at: now,
      lease_owner: null,
      lease_until: null,
      next_attempt_at: null,
    };
    await updateMessage(unit.trx, before.queue_id, change);
    const message = { ...before, ...change };
    for (const listener of listeners) await listener(unit, message, outcome);
    if (isOwed && !isPromised) await enqueueOutcome(unit, message, outcome, details.reply);
    unit.afterCommit(() => claim?.settle(outcome, (wasReceived) => afterSending(message, wasReceived)));
    return isPromised ? 'caller' : 'feed';
  };

  return {
    answer: async (unit, message, answer, { durationMs, reply } = {}) => {
      const duration = durationMs ?? Math.max(0, clock.now() - Date.parse(message.created_at));
      const trace = toolTraceOf(answer);
      const change = {
        deliveryState: 'answered',
        status: 'ok',
        response: answer,
        durationMs: duration,
        ...(trace === undefined ? {} : { toolTrace: trace }),
      } as const;
      await activity.change(unit, message.activity_id, change, true);
      if (message.caller_id === null) {
        const payload = {
          response_body: answer,
          method: 'message/send',
          duration_ms: duration,
          message_id: message.message_id,
          activity_id: message.activity_id,
        };
        await events.append(unit, { type: 'A2A_RESPONSE', workspaceId: message.target_id, payload });
      }
      const mustReachCaller = reply !== undefined || message.state === 'failed';
      return end(unit, message, { state: 'answered', answer }, { mustReachCaller, reply });
    },
    fail: async (unit, message, error) => {
      const full: ErrorBody = { ...error, message_id: message.message_id, queue_id: message.queue_id };
      const detail = cutText(error.error ?? 'delivery failed', 1_000);
      const change = { deliveryState: 'failed', status: 'error', errorDetail: detail } as const;
      await activity.change(unit, message.activity_id, change, true);
      const payload = { activity_id: message.activity_id, message_id: message.message_id, error: detail };
      await events.append(unit, { type: 'MESSAGE_DEAD_LETTERED', workspaceId: message.target_id, payload });
      await end(unit, message, { state: 'failed', error: full }, { mustReachCaller: false });
    },
    onOutcome: (listener) => void listeners.push(listener),
    recover: async () => {
      for (const queueId of await listUntold(db)) await enqueueUnreceived(queueId);
    },
  };
}

function toolTraceOf(answer: JsonObject) {
  const result = answer.result;
  const metadata = isJsonObject(result) ? result.metadata : undefined;
  return isJsonObject(metadata) ? metadata.tool_trace : undefined;
}
