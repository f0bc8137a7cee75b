import crypto, { randomUUID } from 'node:crypto';
import {
  type InboundMessage,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type MessageView,
  type ParseRowOptions,
  parseActivityRow,
  VARIABLE_METADATA,
  viewMessage,
  withoutPlatformWords,
  withoutPlatformWordsIn,
} from '@molecule-ai/protocol';
import { type TraceContext, traceHeaders } from '@molecule-ai/telemetry';
import type { InboundCaller, InboundRefusal } from '../inbound-http/inbound-agent.ts';
import { STREAM_METHODS } from '../inbound-http/inbound-call.ts';
import { receivedMessage } from '../peers/received-values.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import { textOf } from '../transport/http-response.ts';
import type { Arrival } from './ledger-lines.ts';

const MAX_ID_LENGTH = 256;
const MAX_HOPS = 8;
const MAX_SAME_EDGE = 2;

export interface ReadArrivalOptions {
  /** The workspace of the agent; lower case. */
  readonly workspaceId: string;
  /** Whether the platform removes answers to questions from senders who may not give them. */
  readonly hasCheckedAnswers: boolean;
  readonly hasSent?: ParseRowOptions['hasSent'];
  /** RFC 3339. */
  readonly receivedAt: string;
  /** Of the request; `null` for one that belongs to none. */
  readonly trace: TraceContext | null;
}

export type ReadArrival =
  | { readonly kind: 'arrival'; readonly arrival: Arrival }
  | { readonly kind: 'refused'; readonly refusal: InboundRefusal };

/**
 * Reads a request as the message of a row: `raw` is an object with the keys of a row, its `request_body` the request. What
 * only the platform may say is removed from the request of anyone else, whose name comes from the credential.
 */
export function readArrival(
  caller: InboundCaller,
  envelope: JsonObject,
  options: ReadArrivalOptions,
): ReadArrival {
  const isPush = caller.use === 'push';
  const request = isPush
    ? pushedRequest(caller, envelope)
    : withoutPlatformWordsIn(envelope, 'origin', 'kind', 'reply', 'outcome', 'answers');
  const view = viewMessage(request);
  if (view.messageId.length > MAX_ID_LENGTH) {
    return refused(400, 'invalid_message', 'The message id must have at most 256 characters.');
  }
  if (!view.messageId.isWellFormed()) {
    return refused(400, 'invalid_message', 'The message id must not contain half of a surrogate pair.');
  }
  const loop = isPush ? null : loopRefusal(caller.subject, options.workspaceId, view.metadata);
  if (loop !== null) return loop;
  const row = isPush ? pushedRow(caller, view, options) : ownRow(caller, view, options);
  const { workspaceId: self, hasCheckedAnswers, hasSent } = options;
  const message = parseActivityRow(row, { self, hasCheckedAnswers: isPush && hasCheckedAnswers, hasSent });
  if (message === null) return refused(400, 'invalid_message', 'The request is not a message.');
  const digest = isPush ? '' : digestOf(view);
  return { kind: 'arrival', arrival: { message: receivedMessage(message, self), via: caller.use, digest } };
}

/** The platform writes into the metadata of the params, which senders cannot; a token also names the sender. */
function pushedRow({ subject }: InboundCaller, view: MessageView, options: ReadArrivalOptions): JsonObject {
  const named = isJsonObject(view.params.metadata) ? view.params.metadata : {};
  const isPerson = subject === 'canvas' || (subject === '' && named.source === 'canvas_user');
  const sourceId = isPerson ? '' : subject || textOf(named.source_id) || '';
  const messageId = view.messageId || textOf(named.message_id) || randomUUID();
  const row = rowOf(view, options, {
    id: textOf(named.activity_id) || deriveUuid('push', options.workspaceId, sourceId, messageId),
    source: isPerson ? 'canvas_user' : sourceId === '' ? 'unknown' : 'peer_agent',
    sourceId,
    messageId,
    contextId: view.contextId,
  });
  return {
    ...row,
    ...(subject === '' ? {} : textsIn(named, 'conversation_id')),
    ...textsIn(named, 'peer_name', 'peer_role', 'agent_card_url'),
  };
}

function ownRow({ use, subject }: InboundCaller, view: MessageView, options: ReadArrivalOptions): JsonObject {
  const { workspaceId } = options;
  const sourceId = subject.toLowerCase();
  const messageId = view.messageId || randomUUID();
  const id = deriveUuid(use, workspaceId, sourceId, messageId);
  return rowOf(view, options, {
    id,
    source: use === 'direct' ? 'peer_agent' : 'unknown',
    sourceId,
    messageId,
    // Of a repeat it is the same.
    contextId: view.contextId || id,
  });
}

function rowOf(
  { envelope, method }: MessageView,
  { receivedAt, trace }: ReadArrivalOptions,
  about: Pick<InboundMessage, 'id' | 'source' | 'sourceId' | 'messageId' | 'contextId'>,
): JsonObject {
  return {
    id: about.id,
    activity_type: 'a2a_receive',
    direction: 'in',
    method,
    source: about.source,
    source_id: about.sourceId === '' ? null : about.sourceId,
    message_id: about.messageId,
    context_id: about.contextId,
    created_at: receivedAt,
    ...traceHeaders(trace),
    request_body: envelope,
  };
}

function textsIn(metadata: JsonObject, ...keys: readonly string[]): JsonObject {
  const texts = Object.entries(metadata).filter(([key, value]) => keys.includes(key) && textOf(value));
  return Object.fromEntries(texts);
}

/**
 * A push without what its sender wrote into the message under the keys of the platform, whose own are in the metadata of the
 * params. Only a platform that names the sender in its token is known to write them there.
 */
function pushedRequest({ subject }: InboundCaller, envelope: JsonObject): JsonObject {
  const { params } = envelope;
  const message = isJsonObject(params) ? params.message : undefined;
  if (!isJsonObject(params) || !isJsonObject(message) || !isJsonObject(message.metadata)) return envelope;
  const { delegation_id: delegationId, ...own } = withoutPlatformWords(message.metadata, 'origin');
  const kept = subject === '' && delegationId !== undefined ? { delegation_id: delegationId } : {};
  return { ...envelope, params: { ...params, message: { ...message, metadata: { ...own, ...kept } } } };
}

/** The limits of the platform for what its sender says of the way to this message: docs/contract/messages.md#loops. */
function loopRefusal(caller: string, self: string, metadata: JsonObject): ReadArrival | null {
  const edges = Array.isArray(metadata.path) ? metadata.path.filter(isEdge) : [];
  const hops = Math.max(typeof metadata.hops === 'number' ? metadata.hops : 0, edges.length + 1);
  const own = JSON.stringify([caller.toLowerCase(), self]);
  const isRepeated =
    edges.filter((edge) => JSON.stringify(edge).toLowerCase() === own).length >= MAX_SAME_EDGE;
  if (hops <= MAX_HOPS && !isRepeated) return null;
  const message = isRepeated
    ? 'Not accepted, because it would continue a loop: on the way to this message you have already written to this agent twice.'
    : `Not accepted, because it would continue a loop: more than ${MAX_HOPS} messages between agents have led to this one.`;
  return refused(409, 'loop_detected', message, 'Do not repeat the call: answer without it.');
}

function isEdge(value: JsonValue): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((id) => typeof id === 'string');
}

/** Of what a message is; a repeat from somewhere else may say another thing of its sending. */
function digestOf({ method, params }: MessageView): string {
  const { message } = params;
  const metadata = isJsonObject(message) && isJsonObject(message.metadata) ? message.metadata : {};
  const kept = Object.entries(metadata).filter(([key]) => !VARIABLE_METADATA.has(key));
  const content = isJsonObject(message) ? { ...message, metadata: Object.fromEntries(kept) } : message;
  const text = JSON.stringify({ ...params, message: content });
  const isSend = method === 'message/send' || STREAM_METHODS.has(method);
  return crypto.hash('sha256', isSend ? text : `${text}${method}`, 'base64url');
}

function refused(status: number, code: string, message: string, hint?: string): ReadArrival {
  return { kind: 'refused', refusal: { status, code, message, hint } };
}
