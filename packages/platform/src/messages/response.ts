import {
  type ErrorBody,
  errorStatus,
  extractAnswerText,
  extractParts,
  isErrorCode,
  isJsonObject,
  type JsonObject,
  type MessageState,
  type MessageView,
  type ReplyAccepted,
  type ReplyIgnored,
  taskStateOf,
  textPart,
  toA2a1Response,
  toA2a1TaskResponse,
  toA2a03Parts,
  toA2a03Request,
  wrapA2aBoundary,
  wrapPeerAnswer,
} from '@molecule-ai/protocol';
import type { MessageRow } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';
import {
  agentTask,
  isTaskOfA2a1,
  messageStateOf,
  type Outcome,
  outcomeCode,
  outcomeError,
  requestIdOf,
  storedOutcome,
  withoutOwnMetadata,
} from './outcome.ts';
import type { CallerForm } from './request.ts';

/** In which form a caller gets an outcome. */
export interface ResponseForm {
  /** The caller is an agent, so the words of its peer are marked. */
  readonly wraps: boolean;
  /** Without the joined text in `result.text`, which doubles a long answer. */
  readonly isCompact: boolean;
  readonly caller: CallerForm;
}

/** Whether a caller wants answers without `result.text`, by its header `Prefer`; repeated headers are joined by commas. */
export function wantsCompact(prefer = ''): boolean {
  return /(?:^|,)\s*molecule-compact\s*(?:[;,]|$)/i.test(prefer);
}

/** What a response says of the message it is about. */
export type AskedMessage = Pick<MessageRow, 'id' | 'message_id' | 'context_id' | 'request_body'>;

/**
 * The JSON-RPC response that the caller of a message is given: the answer, the agent's own error, or the task of any
 * other outcome.
 */
export function toResponse(message: AskedMessage, outcome: Outcome, form: ResponseForm): JsonObject {
  let given: JsonObject | undefined;
  if (outcome.state === 'answered') given = withoutOwnMetadata(outcome.answer);
  if (outcome.state === 'failed' && isAgentError(outcome, form)) given = outcome.response;
  // What the agent itself returned; for the rest the platform reports the outcome.
  if (given === undefined) return inVersion(message, taskResponse(message, outcome, outcome, form), form);
  if (form.caller === 'plain') return toAnswer(given, form);
  const response = toRpcResponse(message, given);
  if (form.caller === '0.3') return toAnswer(response, form);
  // Marked last, because in the form of 1.0 texts are in other places.
  const shown = inVersion(message, response, form);
  return form.wraps ? wrapPeerAnswer(shown) : shown;
}

/** A response of JSON-RPC; a bare body, such as `{ text }` or `{ parts }`, becomes a message. */
function toRpcResponse({ id, context_id: contextId }: AskedMessage, given: JsonObject): JsonObject {
  if (given.result !== undefined || hasError(given)) return { ...given, jsonrpc: '2.0' };
  const message = { kind: 'message', role: 'agent', messageId: `answer-${id}`, parts: partsOf(given) };
  return { jsonrpc: '2.0', id: null, result: contextId === null ? message : { ...message, contextId } };
}

function partsOf(answer: JsonObject): JsonObject[] {
  const parts = extractParts(answer);
  return parts.length === 0 ? [textPart(extractAnswerText(answer))] : toA2a03Parts(parts);
}

/**
 * Whether the caller gets the agent's JSON-RPC error. One that came with an HTTP error is a failed delivery for callers of
 * plain bodies.
 */
export function isAgentError(
  { failure, response }: Extract<Outcome, { state: 'failed' }>,
  { caller }: ResponseForm,
): boolean {
  return response !== undefined && (failure.kind === 'rpc_error' || caller !== 'plain');
}

function inVersion(message: AskedMessage, response: JsonObject, { caller }: ResponseForm): JsonObject {
  if (caller !== '1.0') return response;
  return toA2a1Response(response, { id: message.id, contextId: message.context_id ?? '' });
}

/** The task of a message in the form of A2A 0.3. */
export function taskResponse(
  message: AskedMessage,
  { state, at }: { readonly state: MessageState; readonly at: string },
  outcome: Outcome | undefined,
  { wraps }: ResponseForm,
): JsonObject {
  const contextId = message.context_id ?? '';
  const said = outcome && statusMessage(message, outcome, wraps);
  const code = outcomeCode(outcome);
  return {
    jsonrpc: '2.0',
    id: requestIdOf(message),
    result: {
      kind: 'task',
      id: message.id,
      contextId,
      status: {
        state: taskStateOf(state),
        timestamp: at,
        ...(said === undefined ? {} : { message: { ...said, contextId, taskId: message.id } }),
      },
      metadata: {
        message_id: message.message_id,
        state,
        ...(code === undefined ? {} : { code }),
      },
    },
  };
}

/** What a task says; an unanswered or canceled message says nothing, because it would be read as the answer. */
function statusMessage(
  { id }: Pick<MessageRow, 'id'>,
  outcome: Outcome,
  wraps: boolean,
): JsonObject | undefined {
  if (outcome.state === 'input_required') {
    const { result } = outcome.answer;
    if (!isJsonObject(result)) return undefined;
    const said = { ...result, kind: 'message', role: 'agent', parts: partsOf(outcome.answer) };
    return wraps ? wrapPeerAnswer({ result: said }).result : said;
  }
  const error = outcomeError(outcome, wraps)?.error;
  if (error === undefined) return undefined;
  return { kind: 'message', role: 'agent', messageId: `failure-${id}`, parts: [textPart(error)] };
}

/**
 * A peer's answer in the form for its caller. Unless the result is a text itself, the joined text is added as
 * `result.text`, except in the compact form, which also leaves it out where the agent itself repeats its text there. A
 * `result.text` that says something else is part of the answer and stays.
 */
export function toAnswer(answer: JsonObject, { wraps, isCompact }: Omit<ResponseForm, 'caller'>): JsonObject {
  const shown = wraps ? wrapPeerAnswer(answer) : answer;
  const { result = {} } = shown;
  if (!isJsonObject(result)) return shown;
  if (isCompact) {
    if (!repeatsItsText(answer)) return shown;
    const { text: _repeated, ...rest } = result;
    return { ...shown, result: rest };
  }
  const text = answer.result === undefined && hasError(answer) ? '' : extractAnswerText(answer);
  if (text === '') return shown;
  return { ...shown, result: { ...result, text: wraps ? wrapA2aBoundary(text) : text } };
}

function repeatsItsText({ result }: JsonObject): boolean {
  if (!isJsonObject(result) || typeof result.text !== 'string') return false;
  const { text, ...rest } = result;
  return extractAnswerText({ result: rest }) === text;
}

function hasError({ error }: JsonObject): boolean {
  return error !== undefined && error !== null;
}

/** The response under the JSON-RPC id of the request that asks for it now; a repeated call may carry another one. */
export function withRequestId(response: JsonObject, id: string | number | null): JsonObject {
  return 'jsonrpc' in response ? { ...response, id } : response;
}

/** What of a task is shown beside its state. */
interface TaskDetail {
  /** The answer as artifacts. */
  readonly hasAnswer: boolean;
  /** The sender's own message as history. */
  readonly hasHistory: boolean;
}

/** A message found as a task. */
export interface FoundTask {
  /** The id under which its sender asks for it: the row id of the first message of the task, or the agent's own id. */
  readonly id: string;
  readonly message: MessageRow;
}

/** The response to a call whose message has no outcome yet: its task. */
export function toOpenTask(
  message: AskedMessage & Pick<MessageRow, 'delivery_state' | 'changed_at'>,
  form: ResponseForm,
): JsonObject {
  const now = { state: messageStateOf(message), at: message.changed_at };
  const response = taskResponse(message, now, undefined, form);
  return taskInVersion(response, form);
}

/**
 * The response to `tasks/get` and `tasks/cancel`: the task under `id`. One that the agent itself answered with has the state
 * that the agent gave it, because the state of the message only says that it was answered.
 */
export function toTaskResponse(found: FoundTask, form: ResponseForm, detail: TaskDetail): JsonObject {
  const { id, message } = found;
  const outcome = storedOutcome(message);
  const answer = outcome?.state === 'answered' ? outcome.answer : undefined;
  const given = answer && agentTask(withoutOwnMetadata(answer));
  if (given !== undefined)
    return { jsonrpc: '2.0', id: null, result: taskOfAgent(found, given, form, detail) };
  const now = outcome ?? { state: messageStateOf(message), at: message.changed_at };
  const response = taskResponse(message, now, outcome, form);
  const artifacts = detail.hasAnswer && answer !== undefined ? artifactsOf(message, answer, form.wraps) : [];
  const history = detail.hasHistory ? historyOf(message) : [];
  const { result } = response;
  const shown = {
    ...response,
    result: {
      ...(isJsonObject(result) ? result : {}),
      id,
      ...(artifacts.length === 0 ? {} : { artifacts }),
      ...(history.length === 0 ? {} : { history }),
    },
  };
  return form.caller === '1.0' ? toA2a1TaskResponse(shown) : shown;
}

/** The status of the task that the agent itself answered with, in the form of A2A 0.3, wrapped where the form wraps. */
export function statusOfAgentTask(message: MessageRow, given: JsonObject, form: ResponseForm): JsonObject {
  const nothing = { hasAnswer: false, hasHistory: false };
  const task = taskOfAgent({ id: message.id, message }, given, { ...form, caller: '0.3' }, nothing);
  return isJsonObject(task.status) ? task.status : {};
}

/** The task that the agent itself answered with, in the version of the caller. */
function taskOfAgent(
  { id, message }: FoundTask,
  given: JsonObject,
  { caller, wraps }: ResponseForm,
  { hasAnswer, hasHistory }: TaskDetail,
): JsonObject {
  const { id: agentId = '', artifacts, history, metadata, ...others } = given;
  const isTranslated = caller !== '1.0' && isTaskOfA2a1(given);
  const shown = isTranslated
    ? { contextId: given.contextId ?? '', status: toStatusOf03(given, id) }
    : { ...others, status: withTaskId(given, id) };
  const made = isTranslated ? artifactsOfTask(message, given) : artifacts;
  const task: JsonObject = {
    kind: 'task',
    ...shown,
    id,
    metadata: {
      ...(isJsonObject(metadata) ? metadata : {}),
      message_id: message.message_id,
      state: messageStateOf(message),
      agent_task_id: agentId,
    },
    ...(hasAnswer && made !== undefined ? { artifacts: made } : {}),
    ...(hasHistory && history !== undefined && !isTranslated ? { history } : {}),
  };
  const response = caller === '1.0' ? toA2a1TaskResponse({ result: task }) : { result: task };
  const { result } = wraps ? wrapPeerAnswer(response) : response;
  const own = hasHistory && isTranslated ? historyOf(message) : [];
  return { ...(isJsonObject(result) ? result : {}), ...(own.length === 0 ? {} : { history: own }) };
}

/** The status of a task; what it says names the task under `id`. */
function withTaskId({ status: given }: JsonObject, id: string): JsonObject {
  const status = isJsonObject(given) ? given : {};
  const { message } = status;
  if (!isJsonObject(message) || message.taskId === undefined) return status;
  return { ...status, message: { ...message, taskId: id } };
}

function toStatusOf03({ status: given }: JsonObject, id: string): JsonObject {
  const { state, message, ...others } = isJsonObject(given) ? given : {};
  const request = isJsonObject(message) ? toA2a03Request({ params: { message } }) : {};
  const said = isJsonObject(request.params) ? request.params.message : undefined;
  const word = typeof state === 'string' ? state.replace(/^TASK_STATE_/, '') : '';
  return {
    ...others,
    state: word.toLowerCase().replaceAll('_', '-'),
    ...(isJsonObject(said) ? { message: { ...said, taskId: id } } : {}),
  };
}

/** The artifacts of a task of A2A 1.0 in the form of 0.3. A text in another place is one, unless the status shows it. */
function artifactsOfTask({ id }: Pick<MessageRow, 'id'>, task: JsonObject): JsonObject[] | undefined {
  const { artifacts, status } = task;
  const isInStatus = isJsonObject(status) && isJsonObject(status.message);
  const hasArtifacts = Array.isArray(artifacts) && artifacts.length > 0;
  const made = hasArtifacts || !isInStatus ? bareArtifacts(id, { result: task }) : [];
  return made.length === 0 ? undefined : made;
}

/** A message that was itself an answer, or was ignored, as a task that has ended. */
export function toReplyTask(
  reply: ReplyAccepted | ReplyIgnored,
  at: string,
  { contextId }: Pick<MessageView, 'contextId'>,
  form: ResponseForm,
): JsonObject {
  const { message_id: id = '' } = reply;
  const status = { state: 'ignored' in reply ? 'canceled' : 'completed', timestamp: at };
  const result = { kind: 'task', id, contextId, status, metadata: { ...reply } as JsonObject };
  const response = { jsonrpc: '2.0', id: null, result };
  return taskInVersion(response, form);
}

/** A task as the response to a message; in A2A 1.0 that names what it is. */
function taskInVersion(response: JsonObject, { caller }: ResponseForm): JsonObject {
  if (caller !== '1.0') return response;
  const { result: task = null, ...rest } = toA2a1TaskResponse(response);
  return { ...rest, result: { task } };
}

/** The artifacts of an answer that is a task, else one with its parts. */
function artifactsOf({ id }: Pick<MessageRow, 'id'>, answer: JsonObject, wraps: boolean): JsonObject[] {
  const artifacts = bareArtifacts(id, answer);
  return wraps ? wrapPeerAnswer({ result: { artifacts } }).result.artifacts : artifacts;
}

function bareArtifacts(id: string, answer: JsonObject): JsonObject[] {
  const result = isJsonObject(answer.result) && answer.result.kind !== 'message' ? answer.result : {};
  const { artifacts } = isJsonObject(result.task) ? result.task : result;
  const given = Array.isArray(artifacts) ? artifacts.filter(isJsonObject) : [];
  if (given.length > 0) {
    return given.map(({ parts, ...artifact }, index) => ({
      artifactId: `artifact-${index}`,
      ...artifact,
      parts: Array.isArray(parts) ? toA2a03Parts(parts) : [],
    }));
  }
  const parts = extractParts(answer);
  const text = extractAnswerText(answer);
  if (parts.length === 0 && text === '') return [];
  return [{ artifactId: `answer-${id}`, parts: toA2a03Parts(parts.length === 0 ? [textPart(text)] : parts) }];
}

/** The sender's own words, which are not marked. */
function historyOf({ id, request_body: body }: MessageRow): JsonObject[] {
  const request: unknown = body === null ? undefined : JSON.parse(body);
  const params = isJsonObject(request) ? toA2a03Request(request).params : undefined;
  const message = isJsonObject(params) ? params.message : undefined;
  return isJsonObject(message) ? [{ ...message, kind: 'message', taskId: id }] : [];
}

/** A failed delivery as the HTTP error that the caller gets. */
export function failureToError({ error, code: given, ...extras }: ErrorBody): HttpError {
  const code = isErrorCode(given) ? given : 'agent_error';
  // For a register this is a wrong field; for a call it is a bad gateway.
  const status = code === 'unsafe_url' ? 502 : errorStatus(code);
  return new HttpError(status, code, error ?? 'delivery failed', extras);
}
