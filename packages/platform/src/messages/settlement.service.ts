import { type ErrorBody, isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import type { ActivityService } from '../activity/activity.service.ts';
import { cutText } from '../activity/text-summary.rules.ts';
import type { PlatformContext } from '../context.ts';
import type { MessageRecord } from '../database/schema.ts';
import { inTransaction, type UnitOfWork } from '../database/unit-of-work.ts';
import { timestamp } from '../time/clock.ts';
import type { AnswerCourier, ReplyMessage } from './answer-courier.service.ts';
import { listUntold, takeUntold, updateMessage } from './messages.store.ts';
import { type Outcome, storedOutcome } from './outcome.rules.ts';
import type { OutcomeWaiters } from './outcome-waiters.ts';
import type { ToldLog } from './told-log.ts';

/** Called in the transaction in which a message gets its outcome, such as to complete a delegation. */
export type OutcomeListener = (unit: UnitOfWork, message: MessageRecord, outcome: Outcome) => Promise<void>;

export interface AnswerDetails {
  readonly durationMs?: number;
  /** The agent's own message that is the answer; it reaches even a caller who expected none. */
  readonly reply?: ReplyMessage;
}

/** Ends messages so that each outcome reaches its caller: on a held call, or else on its feed (decision 11). */
export interface Settlement {
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
  /** Puts outcomes on feeds that a killed process had promised to callers. */
  tellLeftOvers(): Promise<void>;
}

export interface SettlementParts {
  readonly activity: ActivityService;
  readonly courier: AnswerCourier;
  readonly waiters: OutcomeWaiters;
  readonly told: ToldLog;
}

export function createSettlement(context: PlatformContext, parts: SettlementParts): Settlement {
  const { clock, db, events, logger } = context;
  const { activity, courier, waiters, told } = parts;
  const listeners: OutcomeListener[] = [];

  const tellByFeed = (queueId: string) =>
    inTransaction(db, async (unit) => {
      const message = await takeUntold(unit.trx, queueId);
      const outcome = message === undefined ? undefined : storedOutcome(message);
      if (message !== undefined && outcome !== undefined) await courier.bring(unit, message, outcome);
    });

  const afterTelling = (message: MessageRecord, wasTold: boolean) => {
    if (message.answer_told === 1) return;
    if (wasTold) return told.add(message.queue_id);
    tellByFeed(message.queue_id).catch((error: unknown) => {
      logger.error(
        { queueId: message.queue_id, reason: String(error) },
        'An outcome is told after a restart.',
      );
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
    if (isOwed && !isPromised) await courier.bring(unit, message, outcome, details.reply);
    unit.afterCommit(() => claim?.settle(outcome, (wasTold) => afterTelling(message, wasTold)));
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
    tellLeftOvers: async () => {
      for (const queueId of await listUntold(db)) await tellByFeed(queueId);
    },
  };
}

function toolTraceOf(answer: JsonObject) {
  const result = answer.result;
  const metadata = isJsonObject(result) ? result.metadata : undefined;
  return isJsonObject(metadata) ? metadata.tool_trace : undefined;
}
