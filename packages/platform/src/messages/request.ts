import crypto from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import {
  a2aMethod,
  type ErrorBody,
  isA2a1,
  isColumnText,
  isJsonObject,
  type JsonObject,
  JsonValue,
  MessageId,
  type MessageView,
  type OriginalInMetadata,
  originalIn,
  repairMessage,
  textPart,
  toA2a03Request,
  VARIABLE_METADATA,
  viewMessage,
  withoutPlatformWordsIn,
  withoutReply,
} from '@molecule-ai/protocol';
import { readTraceContext, type TraceContext, traceHeaders } from '@molecule-ai/telemetry';
import type { MessageRow } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';
import { parseRfc3339 } from '../time/clock.ts';

/**
 * In which form a caller gets what the platform itself says: plain bodies, or JSON-RPC as in A2A 0.3 or 1.0. The answer of
 * an agent is a JSON-RPC response for all of them.
 */
export type CallerForm = 'plain' | '0.3' | '1.0';

/**
 * JSON-RPC is for callers that show that they speak it: by `A2A-Version`, by a JSON-RPC request whose method is not
 * `message/send`, which older clients that expect plain bodies send as well, or by a batch.
 */
function callerForm(body: unknown, version: string | undefined): CallerForm {
  if (Array.isArray(body)) {
    const isBatch = body.some((one) => isJsonObject(one) && one.jsonrpc !== undefined);
    return isBatch || version !== undefined ? '0.3' : 'plain';
  }
  const { jsonrpc, method } = isJsonObject(body) ? body : {};
  const name = typeof method === 'string' ? method : '';
  if (isA2a1(name, version)) return '1.0';
  const isOther = jsonrpc !== undefined && name !== '' && name !== 'message/send';
  return isOther || version !== undefined ? '0.3' : 'plain';
}

/** The JSON-RPC id of a request; null when it has none, or none that a response can carry. */
function rpcIdOf(body: unknown): string | number | null {
  const id = isJsonObject(body) ? body.id : undefined;
  return typeof id === 'string' || isExactNumber(id) ? id : null;
}

/** A whole number beyond 2^53 was rounded when it was parsed, so that a response could not name it. */
function isExactNumber(id: unknown): id is number {
  return typeof id === 'number' && Number.isFinite(id) && (!Number.isInteger(id) || Number.isSafeInteger(id));
}

/** What is done with a request, by its method in the words of A2A 0.3. */
type MethodUse = 'deliver' | 'stream' | 'get' | 'cancel' | 'resubscribe';

const USES: Readonly<Record<string, MethodUse>> = {
  'message/send': 'deliver',
  delegate_task: 'deliver',
  'message/stream': 'stream',
  'message/sendSubscribe': 'stream',
  'tasks/resubscribe': 'resubscribe',
  'tasks/get': 'get',
  'tasks/cancel': 'cancel',
  cancel_task: 'cancel',
};

/** Methods of A2A up to 1.0 that this platform does not offer. */
const NOT_OFFERED: ReadonlySet<string> = new Set(
  `tasks/send tasks/sendSubscribe tasks/list tasks/pushNotification/set tasks/pushNotification/get
  tasks/pushNotificationConfig/set tasks/pushNotificationConfig/get tasks/pushNotificationConfig/list
  tasks/pushNotificationConfig/delete agent/getAuthenticatedExtendedCard agent/authenticatedExtendedCard
  ListTasks CreateTaskPushNotificationConfig SetTaskPushNotificationConfig GetTaskPushNotificationConfig
  ListTaskPushNotificationConfig ListTaskPushNotificationConfigs DeleteTaskPushNotificationConfig
  GetExtendedAgentCard`.split(/\s+/),
);

class UnknownMethod extends HttpError {
  constructor() {
    super(400, 'invalid_message', 'invalid message: unknown method', {
      field: 'method',
      hint: 'Send message/send or message/stream; tasks/get and tasks/cancel are about a message.',
    });
  }
}

/** @throws HttpError 400 `invalid_message` for an unknown method, 501 `not_supported` for one that is not offered. */
function useOf(body: unknown): MethodUse {
  const method = isJsonObject(body) ? body.method : undefined;
  if (typeof method !== 'string' || method === '') return 'deliver';
  const name = a2aMethod(method);
  const use = Object.hasOwn(USES, name) ? USES[name] : undefined;
  if (use !== undefined) return use;
  if (!NOT_OFFERED.has(name)) throw new UnknownMethod();
  throw new HttpError(501, 'not_supported', 'this platform does not offer the method', {
    field: 'method',
    hint: 'Send message/send, and ask for the state with tasks/get.',
  });
}

/** An error of the platform in the form of its caller; the `data` of JSON-RPC has everything of the plain body except its text. */
export function errorInForm(
  plain: ErrorBody,
  error: HttpError,
  { body, headers }: { readonly body: unknown; readonly headers: IncomingHttpHeaders },
): ErrorBody | JsonObject {
  if (callerForm(body, passedHeaders(headers)['a2a-version']) === 'plain') return plain;
  const { error: message = '', ...data } = plain;
  return {
    jsonrpc: '2.0',
    id: rpcIdOf(body),
    error: { code: rpcCode(error), message, data: data as JsonObject },
  };
}

const CODES: Readonly<Record<string, number>> = {
  invalid_json: -32700,
  internal_error: -32603,
  message_not_found: -32001,
  message_ended: -32002,
  not_supported: -32004,
};

function rpcCode(error: HttpError): number {
  if (error instanceof UnknownMethod) return -32601;
  const known = CODES[error.code];
  if (known !== undefined) return known;
  if (error.status !== 400) return -32000;
  return error.extras.field?.startsWith('params') === true ? -32602 : -32600;
}

/** A call of A2A as it came: what is asked, by whom it is understood, and the message. */
interface A2aCall {
  /** The version of A2A that the request names, as it is stored with the message. */
  readonly version: string | undefined;
  readonly form: CallerForm;
  readonly use: MethodUse;
  readonly message: NormalMessage;
  /** The JSON-RPC id of the response. */
  readonly requestId: string | number | null;
}

/** Reads a call of A2A. @throws HttpError 400 `invalid_message`, 501 `not_supported` */
export function readCall(body: unknown, headers: IncomingHttpHeaders, newId: () => string): A2aCall {
  const passed = passedHeaders(headers);
  const version = passed['a2a-version'];
  const form = callerForm(body, version);
  // First, because the rest of a request says nothing to somebody who uses another method.
  const use = useOf(body);
  const message = normaliseMessage(body, passed, newId);
  return { version, form, use, message, requestId: rpcIdOf(form === 'plain' ? message.view.envelope : body) };
}

/** A request to an agent in the form that the platform stores and delivers. */
export interface NormalMessage {
  /** The parsed JSON-RPC request: repaired, or as it came when it is one of A2A 1.0. */
  readonly view: MessageView;
  /** The sender's, or a new one; requests without a message, such as `tasks/cancel`, do not contain it. */
  readonly messageId: string;
  /** Passed on with each push. */
  readonly headers: PassedHeaders;
}

/**
 * Parses the body of an A2A call: a JSON-RPC request, a bare `{method, params}`, or a shorthand such as `{parts}` or
 * `{message}`. A missing id and message id are added; a message of A2A 0.3 or older is repaired, one of 1.0 is kept as it
 * came, because strict servers refuse unknown fields.
 */
export function normaliseMessage(body: unknown, headers: PassedHeaders, newId: () => string): NormalMessage {
  if (!isJsonObject(body)) {
    throw invalid(
      `the body must be a JSON object${Array.isArray(body) ? '; send each request of a batch by itself' : ''}`,
    );
  }
  if (!JsonValue.safeParse(body).success)
    throw invalid('the body is nested too deeply or has a number that is too large');
  const { method, params } = methodAndParams(body);
  const isShort = body.method === undefined;
  const isKept = !isShort && isA2a1(method, headers['a2a-version']);
  const isSent = a2aMethod(method).startsWith('message/');
  const message = isSent ? readMessage(params, isKept) : params.message;
  const messageId = readMessageId(isJsonObject(message) ? message : params, newId);
  const kept = isJsonObject(message) ? { ...params, message: { ...message, messageId } } : params;
  const given = viewMessage({ jsonrpc: '2.0', id: readId(body.id, newId), method, params: kept });
  requireColumnTexts(given);
  // One of A2A 1.0 keeps what names its sender, because it is passed on as it came; neither feed nor push believes that.
  const own = withoutPlatformWordsIn(given.envelope, 'kind', ...(isKept ? [] : (['origin'] as const)));
  // Only a reply says how a message ended.
  const said = given.inReplyTo === '' ? withoutReply(own, false) : own;
  const view = said === given.envelope ? given : viewMessage(said);
  const { deadline } = view.metadata;
  if (deadline !== undefined && deadline !== null && parseRfc3339(view.deadline) === undefined) {
    throw invalid('metadata.deadline must be an RFC 3339 time', 'params.message.metadata.deadline');
  }
  // A short form is written in 0.3, whatever the header says.
  const { 'a2a-version': _version, ...others } = headers;
  return { view, messageId, headers: isShort ? others : headers };
}

/** What is stored beside the message, where programs look it up. Its texts are JSON, which keeps every character. */
function requireColumnTexts({
  method,
  contextId,
  traceId,
  inReplyTo,
  delegationId,
  message,
  metadata,
}: MessageView): void {
  const { taskId } = message;
  const fields: Readonly<Record<string, JsonValue | undefined>> = {
    method,
    'params.message.contextId': contextId,
    'params.message.taskId': taskId,
    'params.message.metadata.trace_id': traceId,
    'params.message.metadata.in_reply_to': inReplyTo,
    'params.message.metadata.delegation_id': delegationId,
    'params.message.metadata.parent_message_id': metadata.parent_message_id,
  };
  for (const [field, text] of Object.entries(fields)) {
    if (typeof text !== 'string' || isColumnText(text)) continue;
    throw invalid(`${field} must not contain NUL or half of a surrogate pair`, field);
  }
}

function methodAndParams(body: JsonObject): { method: string; params: JsonObject } {
  const method = body.method;
  if (method !== undefined) {
    if (typeof method !== 'string' || method === '' || method.length > 100) {
      throw invalid('method must be a text', 'method');
    }
    const params = body.params ?? {};
    if (!isJsonObject(params)) throw invalid('params must be an object', 'params');
    return { method: method === 'message/sendSubscribe' ? 'message/stream' : method, params };
  }
  if (isJsonObject(body.params)) return { method: 'message/send', params: body.params };
  if (body.jsonrpc !== undefined) throw invalid('method is missing', 'method');
  const { id: _id, ...given } = body;
  const rest = withReplyInMetadata(given);
  // `{parts, …}` is the message itself, `{message}` and `{text}` are params.
  return {
    method: 'message/send',
    params: Array.isArray(rest.parts) ? { message: rest } : rest,
  };
}

/** The reply that `in_reply_to` beside the text of a short form means; one in the metadata has priority. */
function withReplyInMetadata({ in_reply_to: inReplyTo, ...rest }: JsonObject): JsonObject {
  if (inReplyTo === undefined || inReplyTo === null) return rest;
  const metadata = isJsonObject(rest.metadata) ? rest.metadata : {};
  return { ...rest, metadata: { in_reply_to: inReplyTo, ...metadata } };
}

function readMessage(params: JsonObject, isKept: boolean): JsonObject {
  const given = params.message;
  if (isJsonObject(given)) {
    const message = isKept ? given : repairMessage(withPartsOfText(given));
    if (!Array.isArray(message.parts) || message.parts.length === 0) {
      throw invalid('params.message.parts must be a list with at least one part', 'params.message.parts');
    }
    if (!message.parts.every(isJsonObject)) {
      throw invalid('each part must be an object', 'params.message.parts');
    }
    return message;
  }
  const parts = params.parts;
  if (Array.isArray(parts)) return readMessage({ message: { parts } }, isKept);
  const text = textOf(given) ?? textOf(params.text) ?? textOf(params.task);
  if (text !== null) return { role: 'user', parts: [textPart(text)] };
  throw invalid('text or parts is missing: the message is empty', 'params.message');
}

function withPartsOfText(message: JsonObject): JsonObject {
  const text = textOf(message.text);
  return Array.isArray(message.parts) || text === null ? message : { ...message, parts: [textPart(text)] };
}

function readMessageId(owner: JsonObject, newId: () => string): string {
  const given = owner.messageId;
  if (given === undefined || given === null || given === '') return newId();
  const parsed = MessageId.safeParse(given);
  if (parsed.success) return parsed.data;
  const rule = 'must be a text of at most 256 characters, without NUL or half of a surrogate pair';
  throw invalid(`messageId ${rule}`, 'params.message.messageId');
}

function readId(id: JsonValue | undefined, newId: () => string): string | number {
  if (id === undefined || id === null) return newId();
  if (typeof id === 'string' || isExactNumber(id)) return id;
  if (typeof id === 'number') throw invalid('id must be at most 2^53 as a number; send it as a text', 'id');
  throw invalid('id must be a text or a number', 'id');
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function invalid(reason: string, field?: string): HttpError {
  return new HttpError(400, 'invalid_message', `invalid message: ${reason}`, field ? { field } : {});
}

/** Where `POST /a2a` may name its target, in order of priority. */
interface TargetSources {
  /** `X-Target-Workspace-ID`. */
  readonly header: string | undefined;
  /** `?target=`. */
  readonly query: string | undefined;
  readonly body: unknown;
}

/** The target of a `POST /a2a`, unvalidated; undefined when it names none, which means the caller itself. */
export function namedTarget(sources: TargetSources): string | undefined {
  const params = isJsonObject(sources.body) ? sources.body.params : undefined;
  const metadata = isJsonObject(params) ? params.metadata : undefined;
  const inBody = isJsonObject(metadata) ? metadata.target_workspace_id : undefined;
  const named = [sources.header, sources.query, typeof inBody === 'string' ? inBody : undefined];
  return named.find((text) => text !== undefined && text.trim() !== '')?.trim();
}

/**
 * Hex SHA-256 of target, method and params, independent of the order of keys and of the version of A2A; identifies a repeat. The JSON-RPC id is
 * not included, because a repeated call may have a new one, nor what a repeat from somewhere else says of its sending.
 */
export function hashMessage(targetId: string, envelope: JsonObject): string {
  const { method = null, params = null } = toA2a03Request(envelope);
  let content = params;
  if (isJsonObject(params)) {
    const { message } = params;
    content = withContentOnly(
      isJsonObject(message) ? { ...params, message: withContentOnly(message) } : params,
    );
  }
  // A message is the same whether its sender reads a stream of the answer or not.
  const name = method === 'message/stream' ? 'message/send' : method;
  return crypto.hash('sha256', canonical({ target: targetId, method: name, params: content }));
}

/** Metadata with nothing else in it counts as none. */
function withContentOnly(holder: JsonObject): JsonObject {
  const { metadata, ...rest } = holder;
  if (!isJsonObject(metadata)) return holder;
  const kept = Object.entries(metadata).filter(([key]) => !VARIABLE_METADATA.has(key));
  return kept.length === 0 ? rest : { ...rest, metadata: Object.fromEntries(kept) };
}

/** The same JSON with sorted keys, as text. The depth was limited when the body was validated. */
function canonical(value: JsonValue): string {
  if (Array.isArray(value)) {
    let list = '["list"';
    for (const item of value) list += `,${canonical(item)}`;
    return `${list}]`;
  }
  if (!isJsonObject(value)) return JSON.stringify(value);
  // Pairs, so that a key such as `__proto__` or `1` keeps its place.
  let pairs = '["object"';
  for (const key of Object.keys(value).sort()) {
    pairs += `,[${JSON.stringify(key)},${canonical(value[key] ?? null)}]`;
  }
  return `${pairs}]`;
}

/**
 * Names what two parties say to each other in one context: the first 32 hexadecimal digits of the SHA-256 of
 * `[source, sourceId, contextId]` as JSON. Clients compute the same from a row that does not carry it.
 *
 * @param sourceId the workspace that wrote; null for people and operators
 */
export function conversationIdOf(sourceId: string | null, contextId: string | null): string {
  const source = sourceId === null ? 'canvas_user' : 'peer_agent';
  const name = JSON.stringify([source, sourceId ?? '', contextId ?? '']);
  return crypto.hash('sha256', name).slice(0, 32);
}

/** The message with its context id; requests without a message stay as they are. */
export function inContext(view: MessageView, contextId: string): MessageView {
  if (view.contextId === contextId) return view;
  const { envelope, params } = view;
  if (!isJsonObject(params.message)) return view;
  return viewMessage({ ...envelope, params: { ...params, message: { ...params.message, contextId } } });
}

/** What a message says that answers or continues this one: the first of several that continue each other. */
export function originalOf({
  message_id: messageId,
  continues_id: continuesId,
  request_body: body,
}: Pick<MessageRow, 'message_id' | 'continues_id' | 'request_body'>): OriginalInMetadata {
  if (body === null) return { messageId, text: null };
  const { metadata, text } = viewMessage(JSON.parse(body));
  return continuesId === null ? { messageId, text } : originalIn(metadata);
}

/** An answer with the context of its question, unless it is a task or names a context itself. */
export function answerInContext(answer: JsonObject, contextId: string | null): JsonObject {
  const result = answer.result;
  if (contextId === null || !isJsonObject(result) || !Array.isArray(result.parts)) return answer;
  const hasContext = typeof result.contextId === 'string' && result.contextId !== '';
  return hasContext ? answer : { ...answer, result: { ...result, contextId } };
}

/** Headers by their names in lower case. */
export type PassedHeaders = Readonly<Record<string, string>>;

/** What the sender's request says about the protocol. */
const PASSED_ON = ['a2a-version', 'a2a-extensions', 'x-a2a-extensions'] as const;

/** A value that any HTTP client may send, and no longer than a column should be. */
const SENDABLE = /^[\x20-\x7e]{1,2048}$/;

/** The headers of a request that are stored with its message and passed on with each push of it, its trace included. */
export function passedHeaders(headers: IncomingHttpHeaders): PassedHeaders {
  const passed: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = headers[name];
    const text = (Array.isArray(value) ? value.join(', ') : (value ?? '')).trim();
    if (SENDABLE.test(text)) passed[name] = text;
  }
  const trace = traceOf(headers);
  return trace === null ? passed : { ...passed, ...traceHeaders(trace) };
}

/** The trace that a request or a message belongs to; null for none. */
export function traceOf({
  traceparent,
  tracestate,
}: PassedHeaders | IncomingHttpHeaders): TraceContext | null {
  return traceparent === undefined ? null : readTraceContext(traceparent, tracestate);
}

/** Headers with another trace; with their own for null. */
export function withTrace(headers: PassedHeaders, trace: TraceContext | null): PassedHeaders {
  if (trace === null || trace.traceparent === headers.traceparent) return headers;
  const { traceparent: _parent, tracestate: _state, ...others } = headers;
  return { ...others, ...traceHeaders(trace) };
}

/** Headers with the trace of another message where they name none. */
export function inTraceOf(
  headers: PassedHeaders,
  other: { readonly passed_headers: string | null },
): PassedHeaders {
  if (headers.traceparent !== undefined) return headers;
  return { ...headers, ...traceHeaders(traceOf(storedHeaders(other))) };
}

/** The value of the column; null for none. */
export function storeHeaders(headers: PassedHeaders): string | null {
  return Object.keys(headers).length === 0 ? null : JSON.stringify(headers);
}

/** The headers of a stored message. */
export function storedHeaders({
  passed_headers: text,
}: {
  readonly passed_headers: string | null;
}): PassedHeaders {
  return text === null ? {} : (JSON.parse(text) as PassedHeaders);
}

/**
 * An answer, a question or a failure as it is delivered: without a deadline, because what ends or interrupts a message
 * reaches its sender, however long that takes.
 */
export function withoutDeadline(view: MessageView): MessageView {
  if (view.deadline === '') return view;
  const { envelope, params } = view;
  const { message } = params;
  const kept = isJsonObject(message) ? { ...params, message: dropDeadline(message) } : params;
  return viewMessage({ ...envelope, params: dropDeadline(kept) });
}

function dropDeadline(holder: JsonObject): JsonObject {
  if (!isJsonObject(holder.metadata)) return holder;
  const { deadline: _deadline, ...metadata } = holder.metadata;
  return { ...holder, metadata };
}
