import {
  a2aMethod,
  extractMessageText,
  extractParts,
  isA2a1,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  textPart,
  toA2a03Request,
} from '@molecule-ai/protocol';
import type { InboundRefusal } from './inbound-agent.ts';

/** A request to an agent, in any supported form, as a call. */
export type InboundCall =
  | { readonly kind: 'message' | 'stream'; readonly form: CallForm; readonly envelope: JsonObject }
  | { readonly kind: 'get' | 'cancel' | 'resubscribe'; readonly form: CallForm; readonly taskId: string }
  | { readonly kind: 'state'; readonly form: CallForm; readonly status: string }
  | { readonly kind: 'invalid'; readonly form: CallForm; readonly refusal: CallRefusal };

/** How the response is written: `plain` is the form of the Python SDK's server, `{status, result}`. */
export interface CallForm {
  readonly style: 'json-rpc' | 'plain';
  /** The JSON-RPC id of the request; `null` when it has none. */
  readonly id: string | number | null;
  /** Of A2A. */
  readonly version: '0.3' | '1.0';
  /** Whether the caller follows A2A to the letter: it says the version, or uses a method of 1.0. */
  readonly isStrict: boolean;
}

export const NO_FORM: CallForm = { style: 'json-rpc', id: null, version: '0.3', isStrict: false };

/** Why a request is not accepted, with its code of JSON-RPC: by default -32000. */
export type CallRefusal = InboundRefusal & { readonly rpcCode?: number };

export function refusalOf(status: number, code: string, message: string, rpcCode = -32000): CallRefusal {
  return { status, code, message, rpcCode };
}

const SENDS: ReadonlySet<string> = new Set(['', 'message/send', 'delegate_task']);
/** Methods that send a message and ask for its answer as a stream, by their names of A2A 0.3. */
export const STREAM_METHODS: ReadonlySet<string> = new Set(['message/stream', 'message/sendSubscribe']);
const TASK_METHODS: ReadonlyMap<string, 'get' | 'cancel' | 'resubscribe'> = new Map([
  ['tasks/get', 'get'],
  ['tasks/cancel', 'cancel'],
  ['cancel_task', 'cancel'],
  ['tasks/resubscribe', 'resubscribe'],
]);
/** Methods of A2A that this server does not offer. */
const NOT_OFFERED: ReadonlySet<string> = new Set([
  'tasks/sendSubscribe',
  'tasks/list',
  'ListTasks',
  'agent/getAuthenticatedExtendedCard',
  'GetExtendedAgentCard',
]);

/**
 * Reads a JSON-RPC request, a bare `{method, params}`, a short form, or the Python SDK's `{task_id, sender, message}`. A short
 * form is of A2A 0.3, whatever `version`, the value of `A2A-Version`, says.
 */
export function readCall(body: JsonValue, version: string | null): InboundCall {
  if (Array.isArray(body)) return invalid(NO_FORM, -32600, 'A batch of requests is not accepted: send one.');
  if (!isJsonObject(body)) return invalid(NO_FORM, -32600, 'The request must be a JSON object.');
  const { params } = body;
  const form = formOf(body, version ?? '');
  const method = a2aMethod(textOf(body.method));
  if (body.jsonrpc !== undefined && body.jsonrpc !== '2.0') {
    return invalid(form, -32600, 'jsonrpc must be "2.0".');
  }
  if (method === '' && body.task_id !== undefined) return readPlain(body);
  if (SENDS.has(method)) return readMessage('message', form, method, body);
  if (STREAM_METHODS.has(method)) return readMessage('stream', form, method, body);
  const aboutTask = TASK_METHODS.get(method);
  if (aboutTask !== undefined) return readTask(aboutTask, form, objectOf(params));
  if (method === 'molecule/state') return { kind: 'state', form, status: textOf(objectOf(params).status) };
  const isKnown = NOT_OFFERED.has(method) || method.startsWith('tasks/pushNotificationConfig/');
  const refusal = isKnown
    ? refusalOf(200, 'unsupported_operation', 'This agent does not offer the method.', -32004)
    : refusalOf(200, 'method_not_found', 'The method is unknown.', -32601);
  return { kind: 'invalid', form, refusal };
}

function readMessage(
  kind: 'message' | 'stream',
  form: CallForm,
  method: string,
  body: JsonObject,
): InboundCall {
  const isShort = body.params === undefined;
  const envelope: JsonObject = {
    jsonrpc: '2.0',
    id: form.id ?? '',
    method: method === '' ? 'message/send' : method,
    params: isShort ? { message: shortMessage(body) } : objectOf(body.params),
  };
  // A task may consist of its params.
  const isTask = method === 'delegate_task' && (isShort || isJsonObject(body.params));
  return isTask ? { kind, form, envelope: toA2a03Request(envelope) } : withContent(kind, form, envelope);
}

/** The message of `{message}`, `{parts}`, `{text}` and the like. */
function shortMessage(body: JsonObject): JsonValue {
  if (isJsonObject(body.message)) return body.message;
  const [parts, text] = [extractParts(body), extractMessageText(body)];
  const texts = text === '' ? [] : [textPart(text)];
  return { kind: 'message', role: 'user', parts: parts.length > 0 ? parts : texts };
}

function readPlain(body: JsonObject): InboundCall {
  const taskId = textOf(body.task_id);
  const form: CallForm = { ...NO_FORM, style: 'plain', id: taskId };
  const given = shortMessage(body);
  const message: JsonObject = {
    ...objectOf(given),
    messageId: textOf(objectOf(given).messageId) || textOf(body.idempotency_key) || taskId,
  };
  const envelope = { jsonrpc: '2.0', id: taskId, method: 'message/send', params: { message } };
  return withContent('message', form, envelope);
}

function withContent(kind: 'message' | 'stream', form: CallForm, envelope: JsonObject): InboundCall {
  if (extractMessageText(envelope) === '' && extractParts(envelope).length === 0) {
    return invalid(form, -32602, 'The message has neither a text nor parts.');
  }
  return { kind, form, envelope: toA2a03Request(envelope) };
}

function readTask(kind: 'get' | 'cancel' | 'resubscribe', form: CallForm, params: JsonObject): InboundCall {
  const taskId = textOf(params.id) || textOf(params.task_id) || textOf(params.taskId);
  return taskId === '' ? invalid(form, -32602, 'params.id must name the task.') : { kind, form, taskId };
}

function invalid(form: CallForm, rpcCode: number, message: string): InboundCall {
  return { kind: 'invalid', form, refusal: refusalOf(400, 'invalid_message', message, rpcCode) };
}

function formOf({ id, method }: JsonObject, version: string): CallForm {
  const name = textOf(method);
  const isA2a1Call = name !== '' && isA2a1(name, version);
  return {
    style: 'json-rpc',
    id: typeof id === 'string' || typeof id === 'number' ? id : null,
    version: isA2a1Call ? '1.0' : '0.3',
    isStrict: isA2a1Call || (name !== '' && version.trim() !== ''),
  };
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
