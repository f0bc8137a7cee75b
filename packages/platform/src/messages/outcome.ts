import {
  type ErrorBody,
  extractAnswerText,
  extractParts,
  isColumnText,
  isJsonObject,
  isMessageState,
  type JsonObject,
  MAX_OUTCOME_ERROR_LENGTH,
  type MessageState,
  messageStateOfTask,
  type Outcome as OutcomeReport,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';
import { cutText } from '../activity/activity-row.ts';
import type { MessageRow } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';

/** Why a message failed. */
export interface Failure {
  /**
   * `delivery`: the platform could not deliver it; a held call gets the HTTP error. `reported`: the agent reported that
   * it failed. `rpc_error`: the agent returned a JSON-RPC error, which its caller gets as it came.
   */
  readonly kind: 'delivery' | 'reported' | 'rpc_error';
  readonly error: ErrorBody;
  /** Whether `error.error` are an agent's words, which are wrapped for other agents. */
  readonly isAgentText: boolean;
  /** The agent's own word for what failed. */
  readonly code?: string;
  /** The agent sent a JSON-RPC error with an HTTP error; it is stored as the response. */
  readonly hasResponse?: true;
}

/** How a message ends, for good. */
export type MessageEnd =
  /** The agent's JSON-RPC response as it gave it. */
  | { readonly state: 'answered'; readonly answer: JsonObject }
  | { readonly state: 'failed'; readonly failure: Failure; readonly response?: JsonObject }
  | { readonly state: 'unanswered' | 'canceled' | 'expired' };

/** What the caller of a message is given: its end, or the question that interrupts it. `at` is an RFC 3339 time. */
export type Outcome = { readonly at: string } & (
  | MessageEnd
  /** The answer whose text and metadata ask; the message is still open. */
  | { readonly state: 'input_required'; readonly answer: JsonObject }
);

const EXPIRED = {
  error: 'The message expired before it was answered.',
  code: 'message_expired',
} as const satisfies ErrorBody;

export const AGENT_FAILED = 'The agent failed to handle this message.';

export const RPC_ERROR = 'The agent returned a JSON-RPC error.';

/** The state of a message in the words of the wire. */
export function messageStateOf({ delivery_state: state }: Pick<MessageRow, 'delivery_state'>): MessageState {
  if (isMessageState(state)) return state;
  return state === 'acknowledged' ? 'delivered' : 'queued';
}

/** The outcome of a message; undefined while there is none. */
export function storedOutcome(
  message: Pick<MessageRow, 'delivery_state' | 'continued_by' | 'failure' | 'changed_at'> &
    Partial<MessageRow>,
): Outcome | undefined {
  const { delivery_state: state, changed_at: at } = message;
  // The answer may be stored with the message that continues this one, under the id of that request.
  const own = message.continued_by === null ? {} : { id: requestIdOf(message) };
  switch (state) {
    case 'answered':
    case 'input_required':
      return { state, at, answer: { ...readJson<JsonObject>(message.response_body), ...own } };
    case 'failed': {
      const failure = readJson<Failure>(message.failure) ?? deliveryFailure({ error: 'delivery failed' });
      const isKept = failure.kind === 'rpc_error' || failure.hasResponse === true;
      const response = isKept ? readJson<JsonObject>(message.response_body) : undefined;
      return { state, at, failure, ...(response === undefined ? {} : { response: { ...response, ...own } }) };
    }
    case 'unanswered':
    case 'canceled':
    case 'expired':
      return { state, at };
    default:
      return undefined;
  }
}

export function readJson<T>(text: string | null | undefined): T | undefined {
  return text == null ? undefined : (JSON.parse(text) as T);
}

export function deliveryFailure(error: ErrorBody): Failure {
  return { kind: 'delivery', error, isAgentText: false };
}

/** The end of a message that could not be delivered; `response` is the JSON-RPC error that its agent sent. */
export function failedDelivery(error: ErrorBody, response: JsonObject | undefined): MessageEnd {
  const failure = deliveryFailure(error);
  if (response === undefined) return { state: 'failed', failure };
  return { state: 'failed', failure: { ...failure, hasResponse: true }, response };
}

/** The end that an agent reports for a message; `accepted` is not an end. */
export function reportedEnd({ outcome, error }: OutcomeReport): MessageEnd | undefined {
  switch (outcome) {
    case 'unanswered':
    case 'canceled':
      return { state: outcome };
    case 'failed': {
      const text = error?.message.trim() ?? '';
      const failure: Failure = {
        kind: 'reported',
        error: { error: text || AGENT_FAILED, code: 'agent_error' },
        isAgentText: text !== '',
        ...givenCode(error?.code),
      };
      return { state: 'failed', failure };
    }
    default:
      return undefined;
  }
}

/** What an agent gives as the code of its failure: a word that programs compare, not a way to say something unmarked. */
function givenCode(code: unknown): Pick<Failure, 'code'> {
  return typeof code === 'string' && /^[a-z0-9][\w.:-]{0,99}$/i.test(code) ? { code } : {};
}

/** The end that the HTTP response of an agent with a server means. */
export function endOfResponse(response: JsonObject): MessageEnd {
  const { error, result } = response;
  if (error !== undefined && error !== null && result === undefined) {
    // The whole text is in the response; here it is a summary.
    const text = cutText(extractAnswerText(response), MAX_OUTCOME_ERROR_LENGTH);
    const failure: Failure = {
      kind: 'rpc_error',
      error: { error: text || RPC_ERROR, code: 'agent_error' },
      isAgentText: text !== '',
      ...givenCode(isJsonObject(error) && isJsonObject(error.data) ? error.data.code : undefined),
    };
    return { state: 'failed', failure, response };
  }
  const isSilent = isCompletedTask(result) && extractAnswerText(response) === '';
  if (isSilent && extractParts(response).length === 0) return { state: 'unanswered' };
  return { state: 'answered', answer: response };
}

function isCompletedTask(result: unknown): boolean {
  if (!isJsonObject(result)) return false;
  const task = isJsonObject(result.task) ? result.task : result;
  const state = isJsonObject(task.status) || task.kind === 'task' ? messageStateOfTask(task) : null;
  return state === 'answered' || state === 'unanswered';
}

/** The error body of a message that failed or expired, as this caller gets it. */
export function outcomeError(outcome: Outcome, wraps: boolean): ErrorBody | undefined {
  if (outcome.state === 'expired') return EXPIRED;
  if (outcome.state !== 'failed') return undefined;
  const { error, isAgentText } = outcome.failure;
  return isAgentText && wraps ? { ...error, error: wrapA2aBoundary(error.error ?? '') } : error;
}

/** Why a message failed or expired, as a short word; undefined for ends that need no reason. */
export function outcomeCode(outcome: Outcome | undefined): string | undefined {
  if (outcome?.state === 'expired') return EXPIRED.code;
  if (outcome?.state !== 'failed') return undefined;
  const { code, error } = outcome.failure;
  return code ?? error.code ?? 'agent_error';
}

/** What an agent gets that answers a message which has expired. */
export function messageExpired({
  id,
  message_id: messageId,
}: Pick<MessageRow, 'id' | 'message_id'>): HttpError {
  return new HttpError(410, 'message_expired', 'the message expired before this answer', {
    message_id: messageId,
    activity_id: id,
    hint: 'Nobody waits for the answer; finish the row.',
  });
}

/** What a sender gets that has used a message id before. */
export function messageIdConflict({ message_id: messageId }: Pick<MessageRow, 'message_id'>): HttpError {
  return new HttpError(409, 'message_id_conflict', 'messageId was used before with another message', {
    message_id: messageId,
    field: 'params.message.messageId',
  });
}

/** The JSON-RPC id of a stored request; null when it has none. */
export function requestIdOf({ request_body: body }: Partial<MessageRow>): string | number | null {
  const id = readJson<JsonObject>(body)?.id;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}

const MAX_ID_LENGTH = 256;

/** What the platform's own tasks say in their metadata, so that programs rely on it. */
const OWN_METADATA: ReadonlySet<string> = new Set(['state', 'code', 'message_id']);

/** The task that an agent answered with, of A2A 0.3 or 1.0; undefined for any other answer. */
export function agentTask({ result }: JsonObject): JsonObject | undefined {
  if (!isJsonObject(result) || result.kind === 'message') return undefined;
  const task = isJsonObject(result.task) ? result.task : result;
  return isJsonObject(task.status) && typeof task.id === 'string' ? task : undefined;
}

/** The id of that task, by which its sender may ask for it; null without one. */
export function agentTaskId(answer: JsonObject): string | null {
  const { id } = agentTask(answer) ?? {};
  const isUsable = typeof id === 'string' && id !== '' && id.length <= MAX_ID_LENGTH && isColumnText(id);
  return isUsable ? id : null;
}

/** Whether a task has the words of A2A 1.0. */
export function isTaskOfA2a1({ status }: JsonObject): boolean {
  return isJsonObject(status) && typeof status.state === 'string' && status.state.startsWith('TASK_STATE_');
}

/** An answer without the metadata of tasks that only the platform writes. The same object when it has none. */
export function withoutOwnMetadata(answer: JsonObject): JsonObject {
  const { result } = answer;
  if (!isJsonObject(result)) return answer;
  const { task } = result;
  const isTask = result.kind === 'task' || result.status !== undefined || result.artifacts !== undefined;
  const outer = isTask ? cleaned(result) : result;
  const inner = isJsonObject(task) ? cleaned(task) : task;
  if (outer === result && inner === task) return answer;
  return { ...answer, result: inner === undefined ? outer : { ...outer, task: inner } };
}

function cleaned(task: JsonObject): JsonObject {
  const { metadata } = task;
  if (!isJsonObject(metadata)) return task;
  const kept = Object.entries(metadata).filter(([key]) => !OWN_METADATA.has(key));
  if (kept.length === Object.keys(metadata).length) return task;
  return { ...task, metadata: Object.fromEntries(kept) };
}
