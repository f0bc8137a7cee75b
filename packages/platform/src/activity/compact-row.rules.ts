import {
  ACTIVITY_TYPES,
  extractMessageText,
  extractParts,
  isMessageState,
  type JsonObject,
  type MessageView,
  textPart,
  toA2a03Request,
  viewMessage,
  withoutPlatformWords,
} from '@molecule-ai/protocol';
import { carriesAnswer, type FeedAudience, wrapAnswerMessage } from './activity-row.rules.ts';
import { cutJson } from './answer-cut.rules.ts';
import type { FeedRecord } from './feed-page.store.ts';
import { restOfCall, textsAt } from './stored-request.rules.ts';
import { traceKeys } from './trace-keys.rules.ts';

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
export type CompactRecord = Pick<
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
