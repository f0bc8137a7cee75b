import {
  ACTIVITY_TYPES,
  extractMessageText,
  extractParts,
  isMessageState,
  type JsonObject,
  type MessageView,
  textPart,
  viewMessage,
} from '@molecule-ai/protocol';
import { carriesAnswer, type FeedAudience, wrapAnswerMessage } from './activity-row.rules.ts';
import { cutJson } from './answer-cut.rules.ts';
import type { FeedRecord } from './feed-page.store.ts';
import { restOfCall, textsAt } from './stored-request.rules.ts';

const quote = JSON.stringify as (value: string | null) => string;
const KNOWN_TYPES: ReadonlySet<string> = new Set(ACTIVITY_TYPES);

/**
 * One row with each fact once, as JSON text. Parts and metadata are taken from the stored text as they are where its
 * layout is known. An answer of more than `maxAnswerBytes` is cut. See docs/contract/feed.md#compact-rows.
 */
export function compactRowText(record: FeedRecord, reader: FeedAudience, maxAnswerBytes: number): string {
  const inbound = record.direction === 'in';
  const message = inbound ? inboundMessage(record, reader, maxAnswerBytes) : ownMessage(record);
  const source = inbound ? (record.source_id === null ? '"canvas_user"' : '"peer_agent"') : 'null';
  const { activity_type: type, peer_name: peerName, peer_role: peerRole } = record;
  return `{"id":"${record.id}","seq":${record.seq},"ts":"${record.created_at}","type":"${
    KNOWN_TYPES.has(type) ? type : 'agent_log'
  }","direction":"${inbound ? 'in' : 'out'}","method":${quote(record.method)},"source":${source},"source_id":${quote(
    record.source_id,
  )},"message_id":${quote(record.message_id)},"context_id":${quote(record.context_id)},"conversation_id":${quote(
    record.conversation_id,
  )},"in_reply_to":${quote(record.in_reply_to)},"parts":${message.parts},"metadata":${message.metadata},"state":${quote(
    inbound ? stateOf(record.delivery_state) : null,
  )}${message.more}${peerName === null ? '' : `,"peer_name":${quote(peerName)}`}${
    peerRole === null ? '' : `,"peer_role":${quote(peerRole)}`
  }}`;
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
  const stored = isAnswer ? undefined : textsAt(body, record.body_layout);
  if (stored !== undefined) return { ...stored, more: '' };
  const request = body === null ? {} : (JSON.parse(body) as JsonObject);
  const isCut = isAnswer && body !== null && Buffer.byteLength(body) > maxAnswerBytes;
  const view = viewMessage(isCut ? cutJson(request, maxAnswerBytes) : request);
  const shown = isAnswer && reader.wrapAnswers ? viewMessage(wrapAnswerMessage(view, true)) : view;
  const rest = isAnswer ? withoutResult(restOfCall(shown)) : restOfCall(shown);
  return {
    parts: JSON.stringify(partsOf(shown)),
    metadata: JSON.stringify(shown.metadata),
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
