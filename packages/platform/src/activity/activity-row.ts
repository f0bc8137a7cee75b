import {
  ACTIVITY_TYPES,
  type ActivityRow,
  type Attachment,
  DELIVERY_STATES,
  extractMessageText,
  extractParts,
  isJsonObject,
  isMessageState,
  type JsonObject,
  type JsonValue,
  type MessageView,
  textPart,
  toA2a03Request,
  toColumnText,
  viewMessage,
  withoutPlatformWords,
  withoutPlatformWordsIn,
  wrapA2aBoundary,
  wrapPeerAnswer,
} from '@molecule-ai/protocol';
import { readTraceContext, traceHeaders } from '@molecule-ai/telemetry';
import type { ActivityRowRecord } from '../database/schema.ts';

/** The columns of a row that is shown. */
export const SHORT_COLUMNS = [
  'seq',
  'id',
  'workspace_id',
  'activity_type',
  'direction',
  'source_id',
  'target_id',
  'peer_id',
  'message_id',
  'conversation_id',
  'status',
  'duration_ms',
  'delivery_state',
  'created_at',
] as const;
/** Those of any length. */
export const LONG_COLUMNS = [
  'request_body',
  'response_body',
  'tool_trace',
  'summary',
  'error_detail',
  'method',
  'context_id',
  'trace_id',
  'in_reply_to',
  'passed_headers',
  'compact_row',
] as const;

/** A stored row with the name and role of the other workspace. */
export type FeedRecord = Omit<
  Pick<ActivityRowRecord, (typeof SHORT_COLUMNS)[number] | (typeof LONG_COLUMNS)[number]>,
  'workspace_id'
> & {
  readonly workspace_id: string;
  readonly peer_name: string | null;
  readonly peer_role: string | null;
};

/**
 * The first `max` code points of what an agent wrote, as a column can hold them: a character is never split, and what
 * no column holds becomes U+FFFD.
 */
export function cutText(text: string, max: number): string {
  // A code point has at most two UTF-16 units, so a long text need not be read to its end.
  const points = [...text.slice(0, max * 2)];
  const isShort = points.length <= max && text.length <= max * 2;
  return toColumnText(isShort ? text : points.slice(0, max).join(''));
}

/** The keys of a row that say which trace its message belongs to; none for a message that belongs to none. */
function traceKeys({ passed_headers: stored }: { readonly passed_headers: string | null }): {
  traceparent?: string;
  tracestate?: string;
} {
  if (stored === null) return {};
  const { traceparent, tracestate } = JSON.parse(stored) as Record<string, unknown>;
  return traceHeaders(readTraceContext(traceparent, tracestate));
}

/** What an answer may take in a row of a page, in bytes of JSON. */
export const MAX_ANSWER_IN_ROW = 256 * 1024;

/** Strings up to this length count as fields, such as ids and roles, and are kept before longer ones. */
const FIELD_LENGTH = 300;

/**
 * Shortens JSON to about `limit` bytes: texts are cut at whole characters, and what comes after the limit is left out.
 * Short fields of an object are kept before its texts, lists and objects. The value is not changed.
 */
export function cutJson(value: JsonObject, limit: number): JsonObject {
  const budget = { left: limit };
  return (cut(value, budget) as JsonObject | undefined) ?? {};
}

function cut(value: JsonValue, budget: { left: number }): JsonValue | undefined {
  if (typeof value === 'string') return cutString(value, budget);
  if (Array.isArray(value)) {
    budget.left -= 2;
    const items: JsonValue[] = [];
    for (const item of value) {
      const kept = budget.left > 0 ? cut(item, budget) : undefined;
      if (kept === undefined) break;
      items.push(kept);
    }
    return items;
  }
  if (!isJsonObject(value)) {
    budget.left -= 8;
    return budget.left >= 0 ? value : undefined;
  }
  budget.left -= 2;
  const keys = Object.keys(value);
  const kept = new Map<string, JsonValue>();
  for (const isField of [true, false]) {
    for (const key of keys) {
      const child = value[key];
      if (child === undefined || isShort(child) !== isField) continue;
      budget.left -= jsonBytes(key) + 2;
      const shown = budget.left > 0 ? cut(child, budget) : undefined;
      if (shown !== undefined) kept.set(key, shown);
    }
  }
  return Object.fromEntries(keys.flatMap((key) => (kept.has(key) ? [[key, kept.get(key) ?? null]] : [])));
}

function isShort(value: JsonValue): boolean {
  return typeof value === 'string'
    ? value.length <= FIELD_LENGTH
    : typeof value !== 'object' || value === null;
}

function cutString(text: string, budget: { left: number }): string | undefined {
  let kept = text.slice(0, Math.max(0, budget.left));
  let bytes = jsonBytes(kept);
  while (bytes > budget.left && kept !== '') {
    kept = kept.slice(0, Math.floor((kept.length * budget.left) / bytes));
    bytes = jsonBytes(kept);
  }
  if (kept.length < text.length && /[\ud800-\udbff]$/.test(kept)) kept = kept.slice(0, -1);
  budget.left = kept.length < text.length ? 0 : budget.left - bytes;
  return kept === '' && text !== '' ? undefined : kept;
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** A request as it is stored. */
interface StoredRequest {
  /** `JSON.stringify` of the request. */
  readonly request_body: string;
  /**
   * Where the parts and the metadata are in the text: `start,end,start,end` in UTF-16 units, `0,0` for no metadata.
   * Null for a request that has more than a compact row shows, or shows it in another form.
   */
  readonly layout: string | null;
}

const NO_METADATA = '{}';
const PLAIN_PARAMS = new Set(['message', 'metadata']);
const PLAIN_MESSAGE = new Set(['kind', 'role', 'messageId', 'contextId', 'parts', 'metadata']);

/** Writes a request as JSON text, and remembers where a compact row finds its parts and its metadata. */
export function storeRequest(view: MessageView): StoredRequest {
  const spans = new Map<string, readonly [number, number]>();
  let text = '';
  const write = (object: JsonObject, path: string): void => {
    let separator = '{';
    for (const key of Object.keys(object)) {
      const value = object[key];
      if (value === undefined) continue;
      const place = `${path}/${key}`;
      text += `${separator}${JSON.stringify(key)}:`;
      separator = ',';
      const start = text.length;
      if (isJsonObject(value) && (place === '/params' || place === '/params/message')) write(value, place);
      else text += JSON.stringify(value);
      spans.set(place, [start, text.length]);
    }
    text += separator === '{' ? '{}' : '}';
  };
  write(view.envelope, '');
  const parts = spans.get('/params/message/parts');
  const metadata = spans.get('/params/message/metadata') ?? spans.get('/params/metadata') ?? [0, 0];
  const isPlain = parts !== undefined && hasOnlyPlainKeys(view);
  return { request_body: text, layout: isPlain ? [...parts, ...metadata].join() : null };
}

/** The parts and the metadata of a request as JSON texts, as the layout names them. */
export function textsAt(body: string, layout: string) {
  const [partsStart, partsEnd, start, end] = layout.split(',').map(Number);
  const metadata = end === 0 ? NO_METADATA : body.slice(start, end);
  return { parts: body.slice(partsStart, partsEnd), metadata };
}

/** What a call has besides the message's parts, metadata, ids and the role `user`; undefined when there is nothing. */
function restOfCall({ params, role }: MessageView): JsonObject | undefined {
  const { message, metadata: _shown, ...rest } = params;
  const more: JsonObject = {};
  if (isJsonObject(message)) {
    for (const key of Object.keys(message)) if (!PLAIN_MESSAGE.has(key)) more[key] = message[key] ?? null;
  } else if (message !== undefined) {
    rest.message = message;
  }
  if (role === 'agent') more.role = 'agent';
  if (Object.keys(more).length > 0) rest.message = more;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

function hasOnlyPlainKeys(view: MessageView): boolean {
  const { params, message } = view;
  if (view.role === 'agent' || !Array.isArray(message.parts) || message.parts.length === 0) return false;
  const isOneMetadata = !(isJsonObject(params.metadata) && isJsonObject(message.metadata));
  return (
    Object.keys(params).every((key) => PLAIN_PARAMS.has(key)) &&
    Object.keys(message).every((key) => PLAIN_MESSAGE.has(key)) &&
    message.parts.every(
      (part) => isJsonObject(part) && typeof part.kind === 'string' && !isJsonObject(part.root),
    ) &&
    isOneMetadata &&
    withoutPlatformWords(view.metadata, 'origin') === view.metadata &&
    [params.metadata ?? {}, message.metadata ?? {}].every(isJsonObject)
  );
}

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

const KNOWN_TYPES: ReadonlySet<string> = new Set(ACTIVITY_TYPES);

/** The columns of a compact row that never change. */
type Constants = Pick<
  FeedRecord,
  | 'id'
  | 'created_at'
  | 'activity_type'
  | 'direction'
  | 'method'
  | 'source_id'
  | 'message_id'
  | 'context_id'
  | 'conversation_id'
  | 'in_reply_to'
  | 'passed_headers'
>;

/** A row of which only these columns were read. */
type CompactRecord = Pick<
  FeedRecord,
  'seq' | 'delivery_state' | 'request_body' | 'compact_row' | 'peer_name' | 'peer_role'
>;

/**
 * What is stored of a compact row: the layout of its request, and its text up to the parts. Null for an answer, whose
 * parts depend on the reader.
 */
export function compactBeginning(row: Constants, layout: string | null): string | null {
  return layout === null || row.in_reply_to !== null ? null : `${layout};${beginning(row)}`;
}

/** One row as JSON text, of what is stored; undefined when it has to be built from all columns. */
export function storedRowText(row: CompactRecord): string | undefined {
  const { compact_row: stored, request_body: body } = row;
  if (stored === null || body === null) return undefined;
  const end = stored.indexOf(';');
  const { parts, metadata } = textsAt(body, stored.slice(0, end));
  return `${stored.slice(end + 1)},"parts":${parts},"metadata":${metadata}${ending(row, stateOf(row.delivery_state))}`;
}

/**
 * One row with each fact once, as JSON text. An answer of more than `maxAnswerBytes` is cut. See
 * docs/contract/feed.md#compact-rows.
 */
export function compactRowText(record: FeedRecord, reader: FeedAudience, maxAnswerBytes: number): string {
  const inbound = record.direction === 'in';
  const { parts, metadata, more } = inbound
    ? inboundMessage(record, reader, maxAnswerBytes)
    : ownMessage(record);
  const state = inbound ? stateOf(record.delivery_state) : null;
  return `${beginning(record)},"parts":${parts},"metadata":${metadata}${more}${ending(record, state)}`;
}

function beginning(row: Constants): string {
  const inbound = row.direction === 'in';
  const shown = {
    id: row.id,
    ts: row.created_at,
    type: KNOWN_TYPES.has(row.activity_type) ? row.activity_type : 'agent_log',
    direction: inbound ? 'in' : 'out',
    method: row.method,
    source: inbound ? (row.source_id === null ? 'canvas_user' : 'peer_agent') : null,
    source_id: row.source_id,
    message_id: row.message_id,
    context_id: row.context_id,
    conversation_id: row.conversation_id,
    in_reply_to: row.in_reply_to,
    ...traceKeys(row),
  };
  return JSON.stringify(shown).slice(0, -1);
}

function ending(
  { seq, peer_name: name, peer_role: role }: Pick<FeedRecord, 'seq' | 'peer_name' | 'peer_role'>,
  state: string | null,
): string {
  const peer = `${name === null ? '' : `,"peer_name":${JSON.stringify(name)}`}${
    role === null ? '' : `,"peer_role":${JSON.stringify(role)}`
  }`;
  return `,"seq":${seq},"state":${state === null ? 'null' : `"${state}"`}${peer}}`;
}

interface MessageTexts {
  readonly parts: string;
  readonly metadata: string;
  /** Further keys of the row, with a comma in front. */
  readonly more: string;
}

function inboundMessage(record: FeedRecord, reader: FeedAudience, maxAnswerBytes: number): MessageTexts {
  const { request_body: body } = record;
  const isAnswer = carriesAnswer(record);
  const request = body === null ? {} : toA2a03Request(JSON.parse(body) as JsonObject);
  const isCut = isAnswer && body !== null && Buffer.byteLength(body) > maxAnswerBytes;
  const view = viewMessage(isCut ? cutJson(request, maxAnswerBytes) : request);
  const shown = isAnswer && reader.wrapAnswers ? viewMessage(wrapAnswerMessage(view, true)) : view;
  const rest = isAnswer ? withoutResult(restOfCall(shown)) : restOfCall(shown);
  return {
    parts: JSON.stringify(partsOf(shown)),
    metadata: JSON.stringify(withoutPlatformWords(shown.metadata, 'origin')),
    more: `${isCut ? ',"truncated":true' : ''}${rest === undefined ? '' : `,"params":${JSON.stringify(rest)}`}`,
  };
}

/** What the workspace said or reported itself. */
function ownMessage({ method, request_body: request, response_body: response }: FeedRecord): MessageTexts {
  const said = method === 'notify' && response !== null ? (JSON.parse(response) as JsonObject) : undefined;
  if (said !== undefined) {
    const text = typeof said.result === 'string' ? [textPart(said.result)] : [];
    return { parts: JSON.stringify([...text, ...extractParts(said)]), metadata: '{}', more: '' };
  }
  const view = viewMessage(request === null ? {} : JSON.parse(request));
  return { parts: JSON.stringify(partsOf(view)), metadata: JSON.stringify(view.metadata), more: '' };
}

function partsOf({ parts, envelope }: MessageView): readonly JsonObject[] {
  if (parts.length > 0) return parts;
  const text = extractMessageText(envelope);
  return text === '' ? [] : [textPart(text) as JsonObject];
}

/** The joined text of an answer is what its parts hold. */
function withoutResult(rest: JsonObject | undefined): JsonObject | undefined {
  if (rest === undefined || !('result' in rest)) return rest;
  const { result: _joined, ...others } = rest;
  return Object.keys(others).length === 0 ? undefined : others;
}

/** The state of a message; null for a row that is not a message. */
function stateOf(deliveryState: string): string | null {
  if (isMessageState(deliveryState)) return deliveryState;
  if (deliveryState === 'none') return null;
  return deliveryState === 'acknowledged' ? 'delivered' : 'queued';
}
