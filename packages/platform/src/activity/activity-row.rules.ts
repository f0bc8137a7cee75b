import {
  ACTIVITY_TYPES,
  type ActivityRow,
  type Attachment,
  DELIVERY_STATES,
  extractMessageText,
  extractParts,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type MessageView,
  toA2a03Request,
  viewMessage,
  withoutPlatformWordsIn,
  wrapA2aBoundary,
  wrapPeerAnswer,
} from '@molecule-ai/protocol';
import type { ActivityRowRecord } from '../database/schema.ts';
import { cutJson } from './answer-cut.rules.ts';
import type { FeedRecord } from './feed-page.store.ts';
import { traceKeys } from './trace-keys.rules.ts';

/** The reader: answers of peers are wrapped for agents and not for people. */
export interface FeedAudience {
  readonly wrapAnswers: boolean;
  /** The platform's public URL, without a trailing slash. */
  readonly publicUrl: string;
}

const ROW_STATUSES = ['ok', 'error', 'timeout', 'pending'] as const;

/**
 * One row as it is sent, with the keys of both documented shapes. An answer of more than `maxAnswerBytes` is cut. See
 * docs/contract/feed.md#rows.
 */
export function toActivityRow(record: FeedRecord, reader: FeedAudience, maxAnswerBytes: number): ActivityRow {
  const isRequestCut = carriesAnswer(record) && isLonger(record.request_body, maxAnswerBytes);
  const isResponseCut = record.direction === 'in' && isLonger(record.response_body, maxAnswerBytes);
  const request = readRequest(record, reader, isRequestCut ? maxAnswerBytes : undefined);
  const response = cutTo(parseJson(record.response_body), isResponseCut ? maxAnswerBytes : undefined);
  const toolTrace = parseJson(record.tool_trace);
  const inbound = record.direction === 'in';
  const source = record.source_id === null ? 'canvas_user' : 'peer_agent';
  const view = viewMessage(request);
  const text = inbound ? view.text : outgoingText(record, request, response);
  const enrichment = enrich(record, reader);
  const row: ActivityRow = {
    id: record.id,
    workspace_id: record.workspace_id,
    seq: Number(record.seq),
    activity_type: known(ACTIVITY_TYPES, record.activity_type) ?? 'agent_log',
    type: known(ACTIVITY_TYPES, record.activity_type) ?? 'agent_log',
    source_id: record.source_id,
    target_id: record.target_id,
    direction: inbound ? 'in' : 'out',
    method: record.method,
    summary: record.summary,
    duration_ms: record.duration_ms,
    status: known(ROW_STATUSES, record.status) ?? 'ok',
    error_detail: record.error_detail,
    created_at: record.created_at,
    ts: record.created_at,
    data: {
      ...(inbound ? { source, kind: source } : {}),
      ...(text === '' ? {} : { text }),
      ...(record.peer_id === null ? {} : { peer_id: record.peer_id }),
      activity_id: record.id,
      ...enrichment,
    },
    ...enrichment,
    ...(inbound ? { source } : {}),
    ...named(record, view),
  };
  if (request !== undefined) row.request_body = request;
  if (response !== undefined) row.response_body = response;
  if (toolTrace !== undefined) row.tool_trace = toolTrace;
  const result = answerText(record, request);
  if (result !== undefined) row.params = { result };
  const attachments = readAttachments(inbound ? view.parts : extractParts(response));
  if (attachments.length > 0) row.attachments = attachments;
  if (isRequestCut || isResponseCut) row.truncated = true;
  return row;
}

/**
 * A message that is an answer, in the form for its receiver: each text part wrapped separately, and the joined text,
 * wrapped once, as `params.result` unless `hasResult` is false. The stored message stays unwrapped.
 */
export function wrapAnswerMessage(
  { envelope, params, text }: MessageView,
  wrap: boolean,
  hasResult = true,
): JsonObject {
  if (!isJsonObject(envelope.params)) return envelope;
  const shown = wrap ? wrapPeerAnswer(params) : params;
  const result = hasResult ? { result: wrap ? wrapA2aBoundary(text) : text } : {};
  return { ...envelope, params: { ...shown, ...result } };
}

/** True for a row with a peer's answer, whose text is wrapped for agents. */
export function carriesAnswer(
  record: Pick<ActivityRowRecord, 'direction' | 'source_id' | 'in_reply_to'>,
): boolean {
  return record.direction === 'in' && record.source_id !== null && record.in_reply_to !== null;
}

function readRequest(
  record: FeedRecord,
  reader: FeedAudience,
  maxBytes: number | undefined,
): JsonValue | undefined {
  const stored = parseJson(record.request_body);
  // The row of a message of A2A 1.0 has the form of all rows; who sent it is said beside the request.
  const isMessage = record.direction === 'in' && isJsonObject(stored);
  const shown = isMessage ? withoutPlatformWordsIn(toA2a03Request(stored), 'origin') : stored;
  const request = cutTo(shown, maxBytes);
  if (!carriesAnswer(record) || !isJsonObject(request)) return request;
  return wrapAnswerMessage(viewMessage(request), reader.wrapAnswers);
}

function answerText(record: FeedRecord, request: JsonValue | undefined): string | undefined {
  if (!carriesAnswer(record) || !isJsonObject(request)) return undefined;
  const params = request.params;
  const result = isJsonObject(params) ? params.result : undefined;
  return typeof result === 'string' ? result : undefined;
}

function outgoingText(
  record: FeedRecord,
  request: JsonValue | undefined,
  response: JsonValue | undefined,
): string {
  const result = record.method === 'notify' && isJsonObject(response) ? response.result : undefined;
  return typeof result === 'string' ? result : extractMessageText(request);
}

function enrich(record: FeedRecord, reader: FeedAudience) {
  if (record.peer_id === null) return {};
  return {
    ...(record.peer_name === null ? {} : { peer_name: record.peer_name }),
    ...(record.peer_role === null ? {} : { peer_role: record.peer_role }),
    agent_card_url: `${reader.publicUrl}/registry/discover/${record.peer_id}`,
  };
}

function named(record: FeedRecord, { delegationId }: MessageView) {
  const state = known(DELIVERY_STATES, record.delivery_state);
  const isDelegated = record.method?.startsWith('message/') === true && delegationId !== '';
  return {
    ...(record.message_id === null ? {} : { message_id: record.message_id }),
    ...(record.context_id === null ? {} : { context_id: record.context_id }),
    ...(record.conversation_id === null ? {} : { conversation_id: record.conversation_id }),
    ...(record.trace_id === null ? {} : { trace_id: record.trace_id }),
    ...traceKeys(record),
    ...(record.in_reply_to === null ? {} : { in_reply_to: record.in_reply_to }),
    ...(isDelegated ? { delegation_id: delegationId } : {}),
    ...(state === undefined || record.direction === 'out' ? {} : { delivery_state: state }),
  };
}

function readAttachments(parts: readonly JsonObject[]): Attachment[] {
  return parts.flatMap(({ file }) => (isJsonObject(file) ? attachmentOf(file) : []));
}

function attachmentOf(file: JsonObject): Attachment[] {
  const { uri, name, size } = file;
  const mimeType = file.mimeType ?? file.mime_type;
  if (typeof uri !== 'string' || uri === '' || typeof name !== 'string' || name === '') return [];
  const fits = typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
  return [{ uri, name, ...(typeof mimeType === 'string' ? { mimeType } : {}), ...(fits ? { size } : {}) }];
}

function isLonger(text: string | null, bytes: number): boolean {
  return text !== null && text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

function cutTo(value: JsonValue | undefined, maxBytes: number | undefined): JsonValue | undefined {
  return maxBytes === undefined || !isJsonObject(value) ? value : cutJson(value, maxBytes);
}

function parseJson(text: string | null): JsonValue | undefined {
  return text === null ? undefined : (JSON.parse(text) as JsonValue);
}

function known<const Word extends string>(words: readonly Word[], text: string): Word | undefined {
  return words.find((word) => word === text);
}
