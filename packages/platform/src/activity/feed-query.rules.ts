import type { ActivityQuery } from '@molecule-ai/protocol';
import { HttpError } from '../http/http-error.ts';
import { MAX_WAIT_SECONDS, parseWaitSeconds } from '../http/mount.ts';
import { parseRfc3339 } from '../time/clock.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 500;
const MAX_SINCE_SECONDS = 30 * 24 * 3_600;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const CONVERSATION = /^[0-9a-f]{32}$/i;

/** The form of the rows: with the keys of both documented shapes, or each fact once. */
export type FeedView = 'full' | 'compact';

/** Of the rows in a page; `newest-asc` is the newest page with its oldest row first. */
type FeedOrder = 'asc' | 'desc' | 'newest-asc';

/** The validated query of a feed read; times in the form of the database. */
export interface FeedQuery {
  /** Set for `only=control`: control rows are read instead of the feed. */
  readonly control: { readonly sinceSeq: number } | undefined;
  readonly type: string | undefined;
  readonly source: 'canvas' | 'agent' | undefined;
  readonly direction: 'in' | 'out' | undefined;
  readonly peerId: string | undefined;
  readonly conversationId: string | undefined;
  readonly view: FeedView;
  readonly limit: number;
  /** Undefined where it depends on the reader, see `orderOf`. */
  readonly order: FeedOrder | undefined;
  readonly sinceId: string | undefined;
  /** Rows created at this time or later. */
  readonly notBefore: string | undefined;
  /** Rows created before this time. */
  readonly before: string | undefined;
  /** Only rows before this one. */
  readonly beforeId: string | undefined;
  readonly unacknowledged: boolean;
  /** Only rows after the acknowledged position, whatever cursor is given. */
  readonly afterAcknowledged: boolean;
  /** Seconds to wait for a row; undefined without `wait`. */
  readonly waitSeconds: number | undefined;
}

/** The raw query: every parameter as text. */
export type RawFeedQuery = { readonly [Name in keyof ActivityQuery]?: string | undefined };

/** Parses the query of `GET /workspaces/:id/activity`; 400 naming the first invalid field. */
export function parseFeedQuery(raw: RawFeedQuery, nowMs: number): FeedQuery {
  const direction = choice('direction', raw.direction, ['in', 'out', 'all']);
  const unacknowledged = choice('unacknowledged', raw.unacknowledged, ['true', 'false']) === 'true';
  const oldestFirst = raw.since_id !== undefined || unacknowledged;
  return {
    control: choice('only', raw.only, ['control']) && { sinceSeq: parseSinceSeq(raw.since_seq) },
    type: raw.type === '' ? undefined : raw.type,
    source: choice('source', raw.source, ['canvas', 'agent']),
    direction: direction === undefined && raw.type === 'a2a_receive' ? 'in' : withoutAll(direction),
    peerId: parsePeerId(raw.peer_id),
    conversationId: parseConversationId(raw.conversation_id),
    view: parseView(raw.view),
    limit: parseLimit(raw.limit),
    order: choice('order', raw.order, ['asc', 'desc']) ?? (oldestFirst ? 'asc' : undefined),
    sinceId: raw.since_id === '' ? undefined : raw.since_id?.toLowerCase(),
    notBefore: parseSinceSeconds(raw.since_secs, nowMs),
    before: parseBefore(raw.before_ts),
    beforeId: raw.before_id?.toLowerCase() || undefined,
    unacknowledged,
    afterAcknowledged: unacknowledged,
    waitSeconds: parseWaitSeconds(raw.wait, { field: 'wait', max: MAX_WAIT_SECONDS }),
  };
}

/**
 * The order of a page. An agent that reads its messages without saying which ones handles them in the order of the page
 * and continues after its last row, so it gets the oldest row first.
 */
export function orderOf(
  { order, type, notBefore }: Pick<FeedQuery, 'order' | 'type' | 'notBefore'>,
  isAgent: boolean,
): FeedOrder {
  if (order !== undefined) return order;
  if (!isAgent || type !== 'a2a_receive') return 'desc';
  return notBefore === undefined ? 'newest-asc' : 'asc';
}

/** 400 for anything but `compact`. */
export function parseView(text: string | undefined): FeedView {
  return choice('view', text, ['compact']) ?? 'full';
}

function parseSinceSeq(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) throw wrong('since_seq', 'since_seq must be a whole number');
  return Number(text);
}

function withoutAll(direction: 'in' | 'out' | 'all' | undefined): 'in' | 'out' | undefined {
  return direction === 'all' ? undefined : direction;
}

function choice<const Word extends string>(
  field: string,
  text: string | undefined,
  words: readonly Word[],
): Word | undefined {
  if (text === undefined || text === '') return undefined;
  const word = words.find((each) => each === text);
  if (word === undefined) throw wrong(field, `${field} must be ${words.join(' or ')}`);
  return word;
}

function parseLimit(text: string | undefined): number {
  const limit = text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= MAX_LIMIT ? limit : DEFAULT_LIMIT;
}

function parsePeerId(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (!UUID.test(text)) throw wrong('peer_id', 'peer_id must be a UUID');
  return text.toLowerCase();
}

function parseSinceSeconds(text: string | undefined, nowMs: number): string | undefined {
  if (text === undefined || text === '') return undefined;
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : 0;
  if (seconds < 1) throw wrong('since_secs', 'since_secs must be a positive integer');
  return new Date(nowMs - Math.min(seconds, MAX_SINCE_SECONDS) * 1_000).toISOString();
}

function parseConversationId(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (!CONVERSATION.test(text))
    throw wrong('conversation_id', 'conversation_id must be 32 hexadecimal digits');
  return text.toLowerCase();
}

/** Stored times have milliseconds, so a finer time is rounded up, and no earlier row is missed. */
function parseBefore(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const ms = parseRfc3339(text);
  if (ms === undefined) throw wrong('before_ts', 'before_ts must be an RFC 3339 time');
  return new Date(ms).toISOString();
}

function wrong(field: string, message: string): HttpError {
  return new HttpError(400, 'invalid_request', message, { field });
}
