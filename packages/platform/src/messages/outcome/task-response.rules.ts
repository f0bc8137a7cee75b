import {
  extractAnswerText,
  extractParts,
  isJsonObject,
  type JsonObject,
  type MessageView,
  type ReplyAccepted,
  type ReplyIgnored,
  textPart,
  toA2a03Parts,
  toA2a03Request,
  wrapPeerAnswer,
} from '@molecule-ai/protocol';
import type { MessageRow } from '../message.store.ts';
import { toA2a1TaskResponse } from './a2a-1-response.rules.ts';
import { agentTask, isTaskOfA2a1, withoutOwnMetadata } from './agent-task.rules.ts';
import { messageStateOf, storedOutcome } from './outcome.rules.ts';
import { type AskedMessage, type ResponseForm, taskResponse } from './response.rules.ts';

/** What of a task is shown beside its state. */
export interface TaskDetail {
  /** The answer as artifacts. */
  readonly hasAnswer: boolean;
  /** The sender's own message as history. */
  readonly hasHistory: boolean;
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

/** The response to `tasks/get` and `tasks/cancel`: the task. */
export function toTaskResponse(message: MessageRow, form: ResponseForm, detail: TaskDetail): JsonObject {
  const outcome = storedOutcome(message);
  const ofAgent =
    detail.hasAnswer && outcome?.state === 'answered' && taskOfAgent(outcome.answer, form, detail);
  if (ofAgent) return { jsonrpc: '2.0', id: null, result: ofAgent };
  const now = outcome ?? { state: messageStateOf(message), at: message.changed_at };
  const response = taskResponse(message, now, outcome, form);
  const artifacts =
    detail.hasAnswer && outcome?.state === 'answered' ? artifactsOf(message, outcome.answer, form.wraps) : [];
  const history = detail.hasHistory ? historyOf(message) : [];
  const { result } = response;
  const shown = {
    ...response,
    result: {
      ...(isJsonObject(result) ? result : {}),
      ...(artifacts.length === 0 ? {} : { artifacts }),
      ...(history.length === 0 ? {} : { history }),
    },
  };
  return form.caller === '1.0' ? toA2a1TaskResponse(shown) : shown;
}

/**
 * The task that the agent itself answered with, in the version of the caller: the state of the message only says that it was
 * answered. Undefined for a task of 1.0 and a caller of 0.3.
 */
function taskOfAgent(
  answer: JsonObject,
  { caller, wraps }: ResponseForm,
  { hasHistory }: TaskDetail,
): JsonObject | undefined {
  const given = agentTask(withoutOwnMetadata(answer));
  if (given === undefined || (caller !== '1.0' && isTaskOfA2a1(given))) return undefined;
  const { history, ...others } = given;
  const task = hasHistory && history !== undefined ? given : others;
  const response =
    caller === '1.0' ? toA2a1TaskResponse({ result: task }) : { result: { kind: 'task', ...task } };
  const { result } = wraps ? wrapPeerAnswer(response) : response;
  return isJsonObject(result) ? result : undefined;
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
