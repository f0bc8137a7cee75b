import {
  extractAnswerText,
  extractParts,
  isJsonObject,
  type JsonObject,
  type MessageView,
  type ReplyAccepted,
  type ReplyIgnored,
  textPart,
  toA2a1TaskResponse,
  toA2a03Parts,
  toA2a03Request,
  wrapPeerAnswer,
} from '@molecule-ai/protocol';
import type { MessageRow } from '../message.store.ts';
import { agentTask, isTaskOfA2a1, withoutOwnMetadata } from './agent-task.rules.ts';
import { messageStateOf, storedOutcome } from './outcome.rules.ts';
import { type AskedMessage, type ResponseForm, taskResponse } from './response.rules.ts';

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
  return inVersion(response, form);
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
  return inVersion(response, form);
}

/** A task as the response to a message; in A2A 1.0 that names what it is. */
function inVersion(response: JsonObject, { caller }: ResponseForm): JsonObject {
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
