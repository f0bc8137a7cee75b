import {
  type JsonObject,
  type MessagePart,
  textPart,
  toA2a1Response,
  toA2a1TaskResponse,
} from '@molecule-ai/protocol';
import type { InboundRefusal, InboundResult } from './inbound-agent.ts';
import type { CallForm, CallProblem } from './inbound-call.ts';
import type { ServedResponse } from './served-request.ts';

const FAILED = -32000;

/** How one request is responded to. */
export interface ResponseContext {
  readonly form: CallForm;
  /**
   * Whether the platform pushed it: it keeps a message open on a response that says it is queued, takes a task for the
   * answer, and reads the questions of an answer itself.
   */
  readonly isPush: boolean;
}

/** The response to a message, or to a request about its task. */
export function resultResponse(result: InboundResult, context: ResponseContext): ServedResponse {
  const { form, isPush } = context;
  if (result.kind === 'refused') return refusalResponse(FAILED, result.refusal, form);
  const { taskId, messageId, contextId } = result;
  if (result.kind === 'working') {
    if (isPush || form.style === 'plain') {
      return json(202, { queued: true, status: 'queued', activity_id: taskId, message_id: messageId });
    }
    return responseOf(form, result, taskOf(result, 'working', result.at));
  }
  const { end } = result;
  if (end.state === 'failed') return errorResponse(200, failureOf(result), form);
  if (end.answer === null) return responseOf(form, result, taskOf(result, TASK_STATES[end.state], end.at));
  if (end.state === 'input_required' && !isPush) {
    const said = messageOf(end.answer, contextId);
    return responseOf(form, result, taskOf(result, 'input-required', end.at, said));
  }
  return responseOf(form, result, messageOf(end.answer, contextId));
}

/** The task of a message, as `tasks/get` and `tasks/cancel` return it. */
export function taskResponse(result: InboundResult, form: CallForm): ServedResponse {
  if (result.kind === 'refused') return refusalResponse(FAILED, result.refusal, form);
  if (result.kind === 'working') return bareTask(form, taskOf(result, 'working', result.at));
  const { end, contextId } = result;
  const error = end.error === null ? null : sentence(end.error.message, contextId);
  const message = end.answer === null ? error : messageOf(end.answer, contextId);
  return bareTask(form, taskOf(result, TASK_STATES[end.state], end.at, message));
}

export function problemResponse(problem: CallProblem, form: CallForm): ServedResponse {
  const { status, rpcCode, message, code } = problem;
  return errorResponse(status, { code: rpcCode, message, data: { code } }, form);
}

/** A request that is not accepted. The hint is for whoever operates the caller. */
export function refusalResponse(rpcCode: number, refusal: InboundRefusal, form: CallForm): ServedResponse {
  const { status, code, message, hint, retryAfterSeconds } = refusal;
  const data = {
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfterSeconds === undefined ? {} : { retry_after: retryAfterSeconds }),
  };
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  return errorResponse(status, { code: rpcCode, message, data }, form, headers);
}

const TASK_STATES = {
  answered: 'completed',
  unanswered: 'completed',
  input_required: 'input-required',
  failed: 'failed',
  canceled: 'canceled',
  expired: 'failed',
} as const;

function taskOf(
  result: Exclude<InboundResult, { kind: 'refused' }>,
  state: string,
  timestamp: string,
  message: JsonObject | null = null,
): JsonObject {
  const { taskId, messageId, contextId } = result;
  const own = result.kind === 'working' ? 'delivered' : result.end.state;
  const code = result.kind === 'ended' ? (result.end.error?.code ?? null) : null;
  return {
    kind: 'task',
    id: taskId,
    contextId,
    status: { state, timestamp, ...(message === null ? {} : { message }) },
    metadata: { message_id: messageId, state: own, ...(code === null ? {} : { code }) },
  };
}

/** The JSON-RPC error of a message that failed. */
export function failureOf({ end, messageId }: Extract<InboundResult, { kind: 'ended' }>): RpcError {
  const { message, code } = end.error ?? { message: 'The agent failed.', code: 'handler_failed' };
  return { code: FAILED, message, data: { code, message_id: messageId } };
}

export function messageOf(
  answer: {
    readonly messageId: string;
    readonly text: string;
    readonly parts?: readonly MessagePart[] | undefined;
    readonly metadata?: JsonObject | undefined;
  },
  contextId: string,
): JsonObject {
  const { messageId, text, parts = [], metadata } = answer;
  return {
    kind: 'message',
    role: 'agent',
    messageId,
    ...(contextId === '' ? {} : { contextId }),
    parts: [...(text.trim() === '' ? [] : [textPart(text)]), ...parts] as JsonObject[],
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function sentence(text: string, contextId: string): JsonObject {
  return messageOf({ messageId: 'error', text }, contextId);
}

/** What a message was responded with; A2A 1.0 names what it is. */
function responseOf(
  { style, id, version }: CallForm,
  { taskId, contextId }: Exclude<InboundResult, { kind: 'refused' }>,
  result: JsonObject,
): ServedResponse {
  if (style === 'plain') return json(200, { status: 'ok', result });
  const response = { jsonrpc: '2.0', id, result };
  return json(200, version === '1.0' ? toA2a1Response(response, { id: taskId, contextId }) : response);
}

/** The task that was asked for. */
function bareTask({ id, version }: CallForm, result: JsonObject): ServedResponse {
  const response = { jsonrpc: '2.0', id, result };
  return json(200, version === '1.0' ? toA2a1TaskResponse(response) : response);
}

type RpcError = { readonly code: number; readonly message: string; readonly data: JsonObject };

function errorResponse(
  status: number,
  error: RpcError,
  { style, id }: CallForm,
  headers: Readonly<Record<string, string>> = {},
): ServedResponse {
  if (style === 'json-rpc') return json(status, { jsonrpc: '2.0', id, error: { ...error } }, headers);
  return json(status === 200 ? 500 : status, { error: error.message, ...error.data }, headers);
}

export function json(
  status: number,
  body: JsonObject,
  headers: Readonly<Record<string, string>> = {},
): ServedResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  };
}
