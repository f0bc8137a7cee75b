import { isEnded, isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import { cutText } from '../activity/activity-row.ts';
import type { ActivityRowRecord, MessageRow } from '../database/schema.ts';
import { agentTaskId, type Failure, type MessageEnd, type Outcome, outcomeError } from './outcome.ts';
import { answerInContext } from './request.ts';

/** What happens to a stored message. */
export type MessageEvent =
  /** A push of it begins. */
  | { readonly kind: 'push'; readonly owner: string; readonly until: string }
  /** Its push ended without a result, and another one follows; `failure` says why. */
  | {
      readonly kind: 'requeue';
      readonly attempts: number;
      readonly nextAt: string | null;
      readonly failure: Failure | undefined;
    }
  /** Its agent took the push and answers later, or not at all. */
  | { readonly kind: 'deliver' }
  /** Its agent says that it has the message. */
  | { readonly kind: 'take' }
  /** Its agent answers with questions; the message stays open until `expiresAt`. */
  | { readonly kind: 'ask'; readonly answer: JsonObject; readonly expiresAt: string }
  /** The questions are answered: the message with the row id `by` continues it. */
  | { readonly kind: 'continue'; readonly by: string; readonly expiresAt: string }
  | { readonly kind: 'end'; readonly end: MessageEnd; readonly durationMs?: number };

/** What counts besides the row and the event. */
interface Circumstances {
  /** The time, in Unix milliseconds and as it is stored. */
  readonly now: number;
  readonly at: string;
  /** A request of the caller waits for the outcome. */
  readonly isHeld?: boolean;
  /** The agent sends the answer in a message, which reaches also a caller that expected none. */
  readonly isReply?: boolean;
  /** The caller learns of it in the response to this very request. */
  readonly isKnown?: boolean;
  /** The answer is stored with the message that continues this one, and not again with this one. */
  readonly isBelow?: boolean;
}

/** The columns that an event writes. */
export type MessageChange = Partial<
  Omit<ActivityRowRecord, 'id' | 'seq' | 'message_id' | 'body_hash' | 'target_id'>
>;

/**
 * Where an outcome is delivered: to the caller's held call, or, when it does not wait, to its feed. It is `caller` as
 * well when the message of an agent that brought it is on no feed.
 */
export type OutcomeDestination = 'caller' | 'feed';

/** What an event makes of a message, and what follows. */
export interface Step {
  readonly change: MessageChange;
  /** What those who wait for the message are given; undefined when they wait on. */
  readonly outcome: Outcome | undefined;
  /** Whether the outcome becomes a message on the feed of its caller. */
  readonly isForFeed: boolean;
  readonly deliveredTo: OutcomeDestination;
  /** The events that are appended. */
  readonly announced: readonly ('ACTIVITY_LOGGED' | 'MESSAGE_ENDED' | 'A2A_RESPONSE')[];
}

/** No longer in the delivery queue. */
const NOT_QUEUED = { lease_owner: null, lease_until: null, next_attempt_at: null };
const ENDED = { ...NOT_QUEUED, expires_at: null };

/**
 * What becomes of a message by an event, and what follows: docs/contract/messages.md#what-happens-to-a-message has the table. Undefined where
 * the event changes nothing, as when the message has ended.
 */
export function next(row: MessageRow, event: MessageEvent, given: Circumstances): Step | undefined {
  const { delivery_state: state } = row;
  if (isEnded(state)) return undefined;
  const { at, isBelow = false } = given;
  const announced = isBelow ? [] : (['ACTIVITY_LOGGED'] as const);
  const moved = (change: MessageChange): Step => ({
    change: { ...change, changed_at: at },
    outcome: undefined,
    isForFeed: false,
    deliveredTo: 'caller',
    announced,
  });
  switch (event.kind) {
    case 'push': {
      if (state !== 'pending') return undefined;
      const { owner, until } = event;
      const lease = { delivery_state: 'leased', lease_owner: owner, lease_until: until };
      const change = { ...lease, attempts: row.attempts + 1, next_attempt_at: null };
      return { ...moved({}), change, announced: [] };
    }
    case 'requeue': {
      if (state !== 'leased') return undefined;
      const { attempts, nextAt, failure } = event;
      const why = failure === undefined ? {} : { failure: JSON.stringify(failure) };
      return moved({
        delivery_state: 'pending',
        ...NOT_QUEUED,
        attempts,
        next_attempt_at: nextAt,
        ...why,
      });
    }
    case 'deliver':
      return state === 'leased'
        ? moved({ delivery_state: 'delivered', status: 'ok', ...NOT_QUEUED })
        : undefined;
    case 'take':
      return state === 'pending' || state === 'leased'
        ? moved({ delivery_state: 'acknowledged', status: 'ok', ...NOT_QUEUED })
        : undefined;
    case 'continue': {
      if (state !== 'input_required' && !isBelow) return undefined;
      const { by, expiresAt } = event;
      return moved({
        delivery_state: 'delivered',
        response_body: null,
        expires_at: expiresAt,
        continued_by: by,
      });
    }
    case 'ask':
      return asked(row, event, given, announced);
    case 'end':
      return ended(row, event, given);
  }
}

function asked(
  row: MessageRow,
  { answer, expiresAt }: Extract<MessageEvent, { kind: 'ask' }>,
  { at, isHeld = false, isReply = false, isKnown = false, isBelow = false }: Circumstances,
  announced: Step['announced'],
): Step {
  const isExpected = !isKnown && isAwaited(row, isReply);
  const isForFeed = isExpected && !isHeld;
  return {
    change: {
      delivery_state: 'input_required',
      status: 'pending',
      response_body: isBelow ? null : JSON.stringify(answer),
      ...NOT_QUEUED,
      // Who was asked about a message gets its end, also one that expected no answer.
      ...(isExpected ? { caller_receipt: isHeld ? 'sent' : 'expected' } : {}),
      expires_at: expiresAt,
      changed_at: at,
    },
    outcome: { state: 'input_required', answer, at },
    isForFeed,
    deliveredTo: isForFeed && isReply ? 'feed' : 'caller',
    announced,
  };
}

/**
 * A caller that does not wait gets an answer, a failure or an expiry as a message on its feed; of the other ends it learns when it asks. Of
 * a message in between it learns by the last one, which it sent or which ends the first one.
 */
function ended(
  row: MessageRow,
  { end, durationMs }: Extract<MessageEvent, { kind: 'end' }>,
  { at, now, isHeld = false, isReply = false, isKnown = false, isBelow = false }: Circumstances,
): Step {
  const outcome: Outcome = { ...contextualise(end, row), at };
  const { state } = outcome;
  const isSaid = isReply || state === 'answered' || state === 'failed' || state === 'expired';
  const isExpected = !isKnown && !isBelow && isSaid && isAwaited(row, isReply);
  const isForPerson = state === 'answered' && row.source_id === null && !isBelow;
  return {
    change: {
      ...columnsOf(outcome),
      ...(isBelow ? { response_body: null } : {}),
      duration_ms: durationMs ?? Math.max(0, now - Date.parse(row.created_at)),
      ...(isExpected ? { caller_receipt: isHeld ? 'sent' : 'received' } : {}),
      ...ENDED,
      ended_at: at,
      changed_at: at,
    },
    outcome,
    isForFeed: isExpected && !isHeld,
    deliveredTo: isHeld || isMadeByPlatform(row) ? 'caller' : 'feed',
    announced: isForPerson ? ['MESSAGE_ENDED', 'A2A_RESPONSE'] : ['MESSAGE_ENDED'],
  };
}

/** The columns of messages that wait and end without an answer, because their agent has finished its feed up to there. */
export function finishedColumns(at: string): MessageChange {
  return { ...columnsOf({ state: 'unanswered', at }), ...ENDED, ended_at: at, changed_at: at };
}

/** The columns of messages whose agent has them, although their push has not ended. */
export function takenColumns(at: string): MessageChange {
  return { delivery_state: 'acknowledged', status: 'ok', ...NOT_QUEUED, changed_at: at };
}

/** Whether the platform wrote the message, to deliver answers: its end is delivered with that of the one it continues. */
function isMadeByPlatform({ continues_id: continues, caller_receipt: receipt }: MessageRow): boolean {
  return continues !== null && receipt === 'none';
}

/**
 * Whether the outcome of a message that has not ended is delivered to its caller: it expects one, was asked about it, or
 * its agent replies to it.
 */
function isAwaited(row: MessageRow, isReply: boolean): boolean {
  if (row.source_id === null || isMadeByPlatform(row)) return false;
  return row.caller_receipt !== 'none' || isReply;
}

/** The columns that say how a message ended. */
function columnsOf(outcome: Outcome): MessageChange {
  const { state: delivery_state } = outcome;
  switch (outcome.state) {
    case 'answered': {
      const { answer } = outcome;
      const metadata = isJsonObject(answer.result) ? answer.result.metadata : undefined;
      const trace = isJsonObject(metadata) ? metadata.tool_trace : undefined;
      const taskId = agentTaskId(answer);
      return {
        delivery_state,
        status: 'ok',
        response_body: JSON.stringify(answer),
        ...(taskId === null ? {} : { agent_task_id: taskId }),
        ...(trace === undefined ? {} : { tool_trace: JSON.stringify(trace) }),
      };
    }
    case 'failed': {
      const { failure, response } = outcome;
      return {
        delivery_state,
        status: 'error',
        error_detail: cutText(failure.error.error ?? 'delivery failed', 1_000),
        failure: JSON.stringify(failure),
        ...(response === undefined ? {} : { response_body: JSON.stringify(response) }),
      };
    }
    case 'expired':
      return { delivery_state, status: 'timeout', error_detail: outcomeError(outcome, false)?.error ?? null };
    default:
      return { delivery_state, status: 'ok' };
  }
}

/** Answers carry the context of their question, and errors the ids of their message. */
function contextualise(end: MessageEnd, row: MessageRow): MessageEnd {
  if (end.state === 'answered') {
    return { ...end, answer: answerInContext(end.answer, row.context_id) };
  }
  if (end.state !== 'failed') return end;
  const { failure } = end;
  const error = { ...failure.error, message_id: row.message_id, queue_id: row.id };
  return { ...end, failure: { ...failure, error } };
}
