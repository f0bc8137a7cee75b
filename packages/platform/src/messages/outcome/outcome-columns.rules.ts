import { isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import { cutText } from '../../activity/activity-row.ts';
import { answerInContext } from '../conversation.rules.ts';
import type { MessageChange, MessageRow } from '../message.store.ts';
import { agentTaskId } from './agent-task.rules.ts';
import { type MessageEnd, type Outcome, outcomeError } from './outcome.rules.ts';

/** No longer in the delivery queue. */
export const NOT_QUEUED = { lease_owner: null, lease_until: null, next_attempt_at: null };
export const ENDED = { ...NOT_QUEUED, expires_at: null };

/** Whether the platform wrote the message, to deliver answers: its end is delivered with that of the one it continues. */
export function isMadeByPlatform({ continues_id: continues, caller_receipt: receipt }: MessageRow): boolean {
  return continues !== null && receipt === 'none';
}

/**
 * Whether the outcome of a message that has not ended is delivered to its caller: it expects one, was asked about it, or
 * its agent replies to it.
 */
export function isAwaited(message: MessageRow, reply: object | undefined): boolean {
  if (message.source_id === null || isMadeByPlatform(message)) return false;
  return message.caller_receipt !== 'none' || reply !== undefined;
}

/** The columns that say how a message ended. */
export function columnsOf(outcome: Outcome): MessageChange & { readonly delivery_state: string } {
  const { state: delivery_state } = outcome;
  switch (outcome.state) {
    case 'answered': {
      const trace = toolTraceOf(outcome.answer);
      const taskId = agentTaskId(outcome.answer);
      return {
        delivery_state,
        status: 'ok',
        response_body: JSON.stringify(outcome.answer),
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
export function contextualise(end: MessageEnd, message: MessageRow): MessageEnd {
  if (end.state === 'answered') {
    return { ...end, answer: answerInContext(end.answer, message.context_id) };
  }
  if (end.state !== 'failed') return end;
  const { failure } = end;
  const error = { ...failure.error, message_id: message.message_id, queue_id: message.id };
  return { ...end, failure: { ...failure, error } };
}

function toolTraceOf(answer: JsonObject) {
  const result = answer.result;
  const metadata = isJsonObject(result) ? result.metadata : undefined;
  return isJsonObject(metadata) ? metadata.tool_trace : undefined;
}
