import type { ActivityQuery } from '@molecule-ai/protocol';
import { invalidField } from '../http/http-error.ts';
import { MAX_WAIT_SECONDS, parseTime, parseWaitSeconds } from '../http/mount.ts';

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
export type FeedQuery = Readonly<Omit<ReturnType<typeof parseFeedQuery>, 'order'>> & {
  /** Undefined where it depends on the reader, see `orderOf`. */
  readonly order: FeedOrder | undefined;
};

/** The raw query: every parameter as text. */
export type RawFeedQuery = { readonly [Name in keyof ActivityQuery]?: string | undefined };

/** Parses the query of `GET /workspaces/:id/activity`; 400 naming the first invalid field. */
export function parseFeedQuery(raw: RawFeedQuery, nowMs: number) {
  const given = choice('direction', raw.direction, ['in', 'out', 'all']);
  const byDefault = raw.type === 'a2a_receive' ? 'in' : undefined;
  const unacknowledged = choice('unacknowledged', raw.unacknowledged, ['true', 'false']) === 'true';
  const oldestFirst = raw.since_id !== undefined || unacknowledged;
  return {
    // Control rows are read instead of the feed.
    control: choice('only', raw.only, ['control']) && { sinceSeq: parseSinceSeq(raw.since_seq) },
    type: raw.type === '' ? undefined : raw.type,
    source: choice('source', raw.source, ['canvas', 'agent']),
    direction: given === 'all' ? undefined : (given ?? byDefault),
    peerId: matching('peer_id', raw.peer_id, UUID, 'a UUID'),
    conversationId: matching('conversation_id', raw.conversation_id, CONVERSATION, '32 hexadecimal digits'),
    view: parseView(raw.view),
    limit: parseLimit(raw.limit),
    order: choice('order', raw.order, ['asc', 'desc']) ?? (oldestFirst ? 'asc' : undefined),
    sinceId: raw.since_id === '' ? undefined : raw.since_id?.toLowerCase(),
    // Rows created at this time or later, and before the other one.
    notBefore: parseSinceSeconds(raw.since_secs, nowMs),
    before: parseTime(raw.before_ts, 'before_ts'),
    beforeId: raw.before_id?.toLowerCase() || undefined,
    unacknowledged,
    // Only rows after the acknowledged position, whatever cursor is given.
    afterAcknowledged: unacknowledged,
    // Undefined without `wait`.
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
  if (!/^\d{1,15}$/.test(text)) throw invalidField('since_seq', 'since_seq must be a whole number');
  return Number(text);
}

function choice<const Word extends string>(
  field: string,
  text: string | undefined,
  words: readonly Word[],
): Word | undefined {
  if (text === undefined || text === '') return undefined;
  const word = words.find((each) => each === text);
  if (word === undefined) throw invalidField(field, `${field} must be ${words.join(' or ')}`);
  return word;
}

function parseLimit(text: string | undefined): number {
  const limit = text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= MAX_LIMIT ? limit : DEFAULT_LIMIT;
}

/** In lower case; 400 for a text that does not match. */
function matching(
  field: string,
  text: string | undefined,
  pattern: RegExp,
  what: string,
): string | undefined {
  if (text && !pattern.test(text)) throw invalidField(field, `${field} must be ${what}`);
  return text?.toLowerCase() || undefined;
}

function parseSinceSeconds(text: string | undefined, nowMs: number): string | undefined {
  if (text === undefined || text === '') return undefined;
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : 0;
  if (seconds < 1) throw invalidField('since_secs', 'since_secs must be a positive integer');
  return new Date(nowMs - Math.min(seconds, MAX_SINCE_SECONDS) * 1_000).toISOString();
}
