import {
  extractAnswerText,
  extractParts,
  isJsonObject,
  type JsonObject,
  type MessageState,
  taskStateOf,
  textPart,
  toA2a1Response,
  toA2a03Parts,
  wrapA2aBoundary,
  wrapPeerAnswer,
} from '@molecule-ai/protocol';
import type { MessageRow } from '../message.store.ts';
import type { CallerForm } from '../rpc-caller.rules.ts';
import { withoutOwnMetadata } from './agent-task.rules.ts';
import { type Outcome, outcomeCode, outcomeError, requestIdOf } from './outcome.rules.ts';

/** In which form a caller gets an outcome. */
export interface ResponseForm {
  /** The caller is an agent, so the words of its peer are marked. */
  readonly wraps: boolean;
  /** Without the joined text in `result.text`, which doubles a long answer. */
  readonly isCompact: boolean;
  readonly caller: CallerForm;
}

/**
 * Whether a caller wants answers without `result.text`: with `Prefer: molecule-compact`, or `A2A-Version`. Both are
 * header values; repeated headers are joined by commas.
 */
export function wantsCompact(prefer: string | undefined, a2aVersion: string | undefined): boolean {
  if (a2aVersion !== undefined && a2aVersion.trim() !== '') return true;
  const preferences = (prefer ?? '').split(',');
  return preferences.some((one) => one.split(';', 1)[0]?.trim().toLowerCase() === 'molecule-compact');
}

/** What a response says of the message it is about. */
export type AskedMessage = Pick<MessageRow, 'id' | 'message_id' | 'context_id' | 'request_body'>;

/**
 * The JSON-RPC response that the caller of a message is given: the answer, the agent's own error, or the task of any
 * other outcome.
 */
export function toResponse(message: AskedMessage, outcome: Outcome, form: ResponseForm): JsonObject {
  const given = givenByAgent(outcome, form);
  if (given === undefined) return inVersion(message, taskResponse(message, outcome, outcome, form), form);
  if (form.caller === 'plain') return toAnswer(given, form);
  const response = toRpcResponse(message, given);
  if (form.caller === '0.3') return toAnswer(response, form);
  // Marked last, because in the form of 1.0 texts are in other places.
  const shown = inVersion(message, response, form);
  return form.wraps ? wrapPeerAnswer(shown) : shown;
}

/** What the agent itself returned and its caller gets; undefined where the platform reports the outcome. */
function givenByAgent(outcome: Outcome, form: ResponseForm): JsonObject | undefined {
  if (outcome.state === 'answered') return withoutOwnMetadata(outcome.answer);
  return outcome.state === 'failed' && isAgentError(outcome, form) ? outcome.response : undefined;
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
  const code = outcome && outcomeCode(outcome);
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
