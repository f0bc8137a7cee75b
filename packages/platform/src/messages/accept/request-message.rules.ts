import {
  a2aMethod,
  isA2a1,
  isColumnText,
  isJsonObject,
  type JsonObject,
  JsonValue,
  MessageId,
  type MessageView,
  repairMessage,
  textPart,
  viewMessage,
  withoutPlatformWordsIn,
} from '@molecule-ai/protocol';
import { HttpError } from '../../http/http-error.ts';
import { parseRfc3339 } from '../../time/clock.ts';
import type { PassedHeaders } from '../passed-headers.rules.ts';
import { isExactNumber } from '../rpc-caller.rules.ts';

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
  const { method, params } = readCall(body);
  const isShort = body.method === undefined;
  const isKept = !isShort && isA2a1(method, headers['a2a-version']);
  const isSent = a2aMethod(method).startsWith('message/');
  const message = isSent ? readMessage(params, isKept) : params.message;
  const messageId = readMessageId(isJsonObject(message) ? message : params, newId);
  const kept = isJsonObject(message) ? { ...params, message: { ...message, messageId } } : params;
  const given = viewMessage({ jsonrpc: '2.0', id: readId(body.id, newId), method, params: kept });
  requireColumnTexts(given);
  // One of A2A 1.0 keeps what names its sender, because it is passed on as it came; neither feed nor push believes that.
  const own = withoutPlatformWordsIn(given.envelope, isKept ? 'kind' : 'all');
  const view = own === given.envelope ? given : viewMessage(own);
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

function readCall(body: JsonObject): { method: string; params: JsonObject } {
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
  const options = field === undefined ? {} : { extras: { field } };
  return new HttpError(400, 'invalid_message', `invalid message: ${reason}`, options);
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
