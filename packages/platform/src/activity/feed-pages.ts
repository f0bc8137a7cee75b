import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import type { PlatformDatabase, PreparedQuery, Queryable } from '../database/platform-database.ts';
import { timestamp } from '../time/clock.ts';
import { type HeldText, type MemoryShare, ResponseMemory } from '../waiting/response-memory.ts';
import {
  carriesAnswer,
  compactRowText,
  type FeedAudience,
  type FeedRecord,
  LONG_COLUMNS,
  MAX_ANSWER_IN_ROW,
  SHORT_COLUMNS,
  storedRowText,
  toActivityRow,
} from './activity-row.ts';
import type { FeedQuery, FeedView } from './feed-query.rules.ts';
import { visibleUpTo } from './reading-positions.ts';

/** Sizes of a row's long columns, in bytes; null for an empty one. */
interface ColumnSizes {
  readonly request_bytes: number | null;
  readonly response_bytes: number | null;
  /** Of the other ones together. */
  readonly other_bytes: number;
}

/** A row of a page; long columns are null where they are longer than was asked for. */
type FeedHead = FeedRecord & ColumnSizes;

/** A row of a page of compact rows: the columns that most of them need. */
type CompactHead = Pick<
  FeedRecord,
  'seq' | 'id' | 'delivery_state' | 'request_body' | 'compact_row' | 'peer_name' | 'peer_role'
> &
  ColumnSizes;

/** The rows of a page. */
interface PageSelection {
  readonly workspaceId: string;
  readonly query: FeedQuery;
  /** Only rows after this one. */
  readonly sinceSeq: number | undefined;
  /** Only rows before this one. */
  readonly beforeSeq?: number | undefined;
  /** Whether the agent of the workspace reads, which sees nothing of what was stored while it is paused. */
  readonly isAgent: boolean;
  /** Set for an agent that reads its messages: leaves out those that had expired by then or were canceled. */
  readonly deliverableAt?: string | undefined;
  /** Columns that are longer are not read. */
  readonly maxColumnBytes: number;
}

/** The values of a page's query; which of them are defined decides its SQL. */
type PageValues = ReturnType<typeof valuesOf>;

/** The SQL that reads pages of the feed. */
export class FeedPageStore {
  readonly #readPage: PreparedQuery<PageValues, FeedHead | CompactHead>;
  readonly #readHead: PreparedQuery<{ workspaceId: string; id: string; isAgent: true | undefined }, FeedHead>;
  readonly #readWhole: PreparedQuery<{ seq: number }, FeedRecord>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#readPage = database.prepareVariants(selectPage);
    this.#readHead = database.prepareVariants((db, { id, workspaceId, isAgent }) => {
      const select = selectHeads(db, 0).where('a.id', '=', id).where('a.workspace_id', '=', workspaceId);
      return isAgent ? select.where('a.seq', '<=', visibleUpTo(workspaceId)) : select;
    });
    this.#readWhole = database.prepare((db, { seq }: { seq: number }) =>
      selectRows(db)
        .select(LONG_COLUMNS.map((name) => `a.${name}` as const))
        .where('a.seq', '=', seq),
    );
  }

  /** Reads the rows of one page, and one more than the limit when there are more. */
  async readHeads(selection: PageSelection): Promise<readonly (FeedHead | CompactHead)[]> {
    return (await this.#readPage(valuesOf(selection))).rows;
  }

  /** Reads one row without its long columns; for the agent of the workspace only one that it sees. */
  async readHead(workspaceId: string, id: string, isAgent: boolean): Promise<FeedHead | undefined> {
    return (await this.#readHead({ workspaceId, id, isAgent: isAgent || undefined })).rows[0];
  }

  /** Reads one row with its long columns. */
  async readWhole(seq: number): Promise<FeedRecord | undefined> {
    return (await this.#readWhole({ seq })).rows[0];
  }
}

/**
 * Each page is an index scan in the order of the page: by `seq`, or by `created_at` for a page with times and no cursor.
 * Filters on other columns are written so that no query planner chooses another index and sorts.
 */
function selectPage(db: Queryable, values: PageValues) {
  const { direction, type, peerId, conversationId, notBefore, before, sinceSeq, beforeSeq } = values;
  const isTimed = notBefore !== undefined || before !== undefined;
  const hasCursor = sinceSeq !== undefined || beforeSeq !== undefined;
  const byConversation = conversationId !== undefined;
  const byTime = isTimed && !hasCursor && !values.unacknowledged && !byConversation;
  const byPeer = peerId !== undefined && !byConversation;
  const byType = type !== undefined && !byTime && !byPeer && !byConversation;
  const order = values.oldestFirst ? 'asc' : 'desc';
  const text = (column: FilterColumn, isIndexed: boolean) =>
    isIndexed ? sql.ref<string>(`a.${column}`) : sql<string>`${sql.ref(`a.${column}`)} || ''`;
  // The two forms of rows have the same conditions, and Kysely's type names the columns.
  const heads = values.compact ? selectCompactHeads(db, values.maxBytes) : selectHeads(db, values.maxBytes);
  let select = (heads as ReturnType<typeof selectHeads>)
    .where('a.workspace_id', '=', values.workspaceId)
    .limit(values.limit);
  if (values.afterAcknowledged) {
    select = select.where('a.seq', '>', (eb) =>
      eb
        .selectFrom('workspaces as own')
        .select('own.acknowledged_seq')
        .where('own.id', '=', values.workspaceId),
    );
  }
  // The row before which a page ends is itself visible.
  if (values.isAgent && beforeSeq === undefined) {
    const seq = byTime ? sql<number>`${sql.ref('a.seq')} + 0` : sql.ref<number>('a.seq');
    select = select.where(seq, '<=', visibleUpTo(values.workspaceId));
  }
  if (values.unacknowledged) {
    // An acknowledgement covers all rows up to it. A pushed message needs none: the agent has responded to it.
    select = select.where((eb) =>
      eb.or([
        eb('a.delivery_state', '=', 'pending'),
        eb.and([eb('a.delivery_state', '=', 'answered'), eb('a.attempts', '=', 0)]),
      ]),
    );
  }
  if (direction !== undefined) select = select.where('a.direction', '=', direction);
  if (type !== undefined) select = select.where(text('activity_type', byType), '=', type);
  if (peerId !== undefined) select = select.where(text('peer_id', byPeer), '=', peerId);
  if (byConversation) select = select.where('a.conversation_id', '=', conversationId);
  const { deliverableAt } = values;
  if (deliverableAt !== undefined) {
    select = select.where((eb) =>
      eb.or([eb('a.expires_at', 'is', null), eb('a.expires_at', '>', deliverableAt)]),
    );
    // Nothing unacknowledged has either state.
    if (!values.unacknowledged) select = select.where('a.delivery_state', 'not in', ['expired', 'canceled']);
  }
  if (values.fromCanvas) select = select.where('a.source_id', 'is', null);
  if (values.fromAgents) select = select.where('a.source_id', 'is not', null);
  if (sinceSeq !== undefined) select = select.where('a.seq', '>', sinceSeq);
  if (beforeSeq !== undefined) select = select.where('a.seq', '<', beforeSeq);
  if (notBefore !== undefined) select = select.where(text('created_at', byTime), '>=', notBefore);
  if (before !== undefined) select = select.where(text('created_at', byTime), '<', before);
  if (byTime) select = select.orderBy('a.created_at', order);
  return select.orderBy('a.seq', order);
}

/** The size of a text is in its header, so a long one is not read to learn it. */
function selectHeads(db: Queryable, maxBytes: number) {
  const others = LONG_COLUMNS.slice(2).map((name) => sql<number>`coalesce(${bytesOf(name)}, 0)`);
  return selectRows(db).select([
    bytesOf('request_body').as('request_bytes'),
    bytesOf('response_body').as('response_bytes'),
    sql<number>`${sql.join(others, sql` + `)}`.as('other_bytes'),
    ...LONG_COLUMNS.map((name) => ifShort(name, maxBytes).as(name)),
  ]);
}

function selectCompactHeads(db: Queryable, maxBytes: number) {
  return withPeer(db)
    .select(['a.seq', 'a.id', 'a.delivery_state'])
    .select([
      bytesOf('request_body').as('request_bytes'),
      bytesOf('response_body').as('response_bytes'),
      sql<number>`coalesce(${bytesOf('compact_row')}, 0)`.as('other_bytes'),
      ifShort('request_body', maxBytes).as('request_body'),
      ifShort('compact_row', maxBytes).as('compact_row'),
    ]);
}

function bytesOf(name: (typeof LONG_COLUMNS)[number]) {
  return sql<number | null>`octet_length(${sql.ref(`a.${name}`)})`;
}

function ifShort(name: (typeof LONG_COLUMNS)[number], maxBytes: number) {
  return sql<string | null>`case when ${bytesOf(name)} <= ${maxBytes} then ${sql.ref(`a.${name}`)} end`;
}

function withPeer(db: Queryable) {
  return db
    .selectFrom('activity as a')
    .leftJoin('workspaces as peer', 'peer.id', 'a.peer_id')
    .select(['peer.name as peer_name', 'peer.role as peer_role']);
}

function selectRows(db: Queryable) {
  return withPeer(db)
    .select(SHORT_COLUMNS.map((name) => `a.${name}` as const))
    .$narrowType<{ workspace_id: string }>();
}

function valuesOf({ query, isAgent, maxColumnBytes, ...places }: PageSelection) {
  const { direction, type, peerId, conversationId, notBefore, before, source } = query;
  const filters = { direction, type, peerId, conversationId, notBefore, before };
  return {
    ...places,
    ...filters,
    limit: query.limit + 1,
    maxBytes: maxColumnBytes,
    fromCanvas: source === 'canvas' || undefined,
    fromAgents: source === 'agent' || undefined,
    unacknowledged: query.unacknowledged || undefined,
    afterAcknowledged: query.afterAcknowledged || undefined,
    oldestFirst: query.order === 'asc' || undefined,
    compact: query.view === 'compact' || undefined,
    isAgent: isAgent || undefined,
  };
}

type FilterColumn = 'activity_type' | 'peer_id' | 'created_at';

/** A page has at most so many bytes, and at least one row. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Columns of a page's rows that are read in one step have so many bytes together; longer ones are read row by row. */
const INLINE_BYTES = 1024 * 1024;
const USUAL_MEMORY = 8 * 1024 * 1024;
const LONG_ROW_BYTES = 64 * 1024;

/** One page of the feed. */
export interface FeedPage extends HeldText {
  /** The number of rows. */
  readonly rows: number;
  /** The cursor of the next page in ascending order; undefined when there is neither a row nor a cursor. */
  readonly nextCursor: string | undefined;
  readonly hasMore: boolean;
}

/** The rows between which a page is. */
type FeedPlaces = Pick<PageSelection, 'sinceSeq' | 'beforeSeq'>;

/** The rows of a page that fit, in its order. */
interface BuiltPage {
  readonly texts: readonly string[];
  readonly bytes: number;
  readonly newestId: string | undefined;
  readonly hasMore: boolean;
}

/** Builds pages: bounded in size, in memory, and in how long they keep other requests from running. */
export class FeedPages {
  readonly #options: Pick<PlatformContext, 'clock' | 'address' | 'settings'>;
  readonly #store: FeedPageStore;
  readonly #memory: ResponseMemory;

  constructor(options: Pick<PlatformContext, 'clock' | 'database' | 'address' | 'settings'>) {
    this.#options = options;
    this.#store = new FeedPageStore(options);
    this.#memory = new ResponseMemory(options);
  }

  /** @throws HttpError 503 when other reads use the memory for pages for 10 s. */
  async read(workspaceId: string, query: FeedQuery, places: FeedPlaces, isAgent: boolean): Promise<FeedPage> {
    const page = await this.#withMemory(workspaceId, USUAL_MEMORY, (memory) =>
      this.#build(workspaceId, query, places, isAgent, memory),
    );
    const { texts, newestId, hasMore } = page.result;
    return {
      text: `[${texts.join()}]`,
      rows: texts.length,
      nextCursor: newestId ?? query.sinceId,
      hasMore,
      release: page.release,
    };
  }

  /** Reads one row, never cut; undefined when the feed does not have it. */
  async readRow(
    workspaceId: string,
    id: string,
    view: FeedView,
    isAgent: boolean,
  ): Promise<HeldText | undefined> {
    const head = await this.#store.readHead(workspaceId, id, isAgent);
    if (head === undefined) return undefined;
    const { inPage, toRead } = costOf(head, view, Number.POSITIVE_INFINITY);
    const built = await this.#withMemory(workspaceId, inPage + toRead, async () => {
      const record = await this.#store.readWhole(Number(head.seq));
      const text = record && this.#write(record, view, this.#audience(isAgent), Number.POSITIVE_INFINITY);
      return { text, bytes: inPage };
    });
    const { text } = built.result;
    if (text !== undefined) return { text, release: built.release };
    built.release();
    return undefined;
  }

  /** Runs `build` with memory; runs it again with as much as it asks for if that is more. */
  async #withMemory<T extends { readonly bytes: number }>(
    workspaceId: string,
    bytes: number,
    build: (bytes: number) => Promise<T | { readonly needed: number }>,
  ): Promise<{ readonly result: T; release(): void }> {
    for (let wanted = bytes; ; ) {
      const share: MemoryShare = await this.#memory.reserve(workspaceId, wanted);
      try {
        const result = await build(wanted);
        if (!('needed' in result)) {
          share.shrink(result.bytes);
          return { result, release: share.release };
        }
        share.release();
        wanted = result.needed;
      } catch (error) {
        share.release();
        throw error;
      }
    }
  }

  async #build(
    workspaceId: string,
    query: FeedQuery,
    places: FeedPlaces,
    isAgent: boolean,
    memory: number,
  ): Promise<BuiltPage | { readonly needed: number }> {
    const { view, limit } = query;
    const maxColumn = maxColumnBytes(limit);
    const heads = await this.#store.readHeads({
      workspaceId,
      query,
      ...places,
      isAgent,
      // What has expired is not handed to the agent, also when its end is not recorded yet.
      deliverableAt: isAgent && query.direction === 'in' ? timestamp(this.#options.clock) : undefined,
      maxColumnBytes: maxColumn,
    });
    const isReadBackwards = query.order !== 'asc';
    // An agent without a cursor continues after the rows it got, so what does not fit must be the newest.
    const isBounded = query.before !== undefined || query.beforeId !== undefined;
    const keepsOldest = isReadBackwards && isAgent && query.direction === 'in' && !isBounded;
    const wanted = heads.slice(0, limit);
    if (keepsOldest) wanted.reverse();
    const plan = planPage(wanted, view, maxColumn);
    if (plan.memory > memory) return { needed: plan.memory };
    const audience = this.#audience(isAgent);
    const texts: string[] = [];
    const ids: string[] = [];
    let bytes = 0;
    for (const head of plan.heads) {
      let text = shortRowText(head, audience, maxColumn);
      if (text === undefined) {
        // Each long row in a turn of its own, so that other requests run in between.
        if ((head.request_bytes ?? 0) + (head.response_bytes ?? 0) > LONG_ROW_BYTES) await nextTurn();
        const record = await this.#store.readWhole(Number(head.seq));
        if (record === undefined) continue;
        text = this.#write(record, view, audience, MAX_ANSWER_IN_ROW);
      }
      const size = text.length < 1_000 ? text.length * 3 : Buffer.byteLength(text);
      if (texts.length > 0 && bytes + size > MAX_PAGE_BYTES - texts.length - 2) break;
      texts.push(text);
      ids.push(head.id);
      bytes += size;
    }
    // Of the newest page that is read forwards only what did not fit follows its cursor; older rows do not.
    const hasMore = (!keepsOldest || query.order === 'desc') && heads.length > limit;
    const isAscending = keepsOldest || !isReadBackwards;
    if (isAscending !== (query.order !== 'desc')) {
      texts.reverse();
      ids.reverse();
    }
    return {
      texts,
      bytes,
      newestId: query.order === 'desc' ? ids[0] : ids.at(-1),
      hasMore: hasMore || texts.length < wanted.length,
    };
  }

  #write(record: FeedRecord, view: FeedView, audience: FeedAudience, maxAnswerBytes: number): string {
    return view === 'compact'
      ? compactRowText(record, audience, maxAnswerBytes)
      : JSON.stringify(toActivityRow(record, audience, maxAnswerBytes));
  }

  #audience(isAgent: boolean): FeedAudience {
    const { address, settings } = this.#options;
    return { wrapAnswers: isAgent && settings.security.wrapPeerResults, publicUrl: address.url };
  }
}

/** The text of a row whose columns were all read with its page; undefined for another one. */
function shortRowText(
  head: FeedHead | CompactHead,
  audience: FeedAudience,
  maxColumn: number,
): string | undefined {
  if (!('workspace_id' in head)) return storedRowText(head);
  return hasShortColumns(head, maxColumn)
    ? JSON.stringify(toActivityRow(head, audience, MAX_ANSWER_IN_ROW))
    : undefined;
}

function maxColumnBytes(limit: number): number {
  return Math.floor(INLINE_BYTES / (limit + 1));
}

/** The first rows that fit into a page, and the memory to build it. */
function planPage(
  heads: readonly (FeedHead | CompactHead)[],
  view: FeedView,
  maxColumn: number,
): { readonly heads: readonly (FeedHead | CompactHead)[]; readonly memory: number } {
  let bytes = 0;
  let toRead = 0;
  let count = 0;
  for (const head of heads) {
    const cost = costOf(head, view, MAX_ANSWER_IN_ROW);
    if (count > 0 && bytes + cost.inPage > MAX_PAGE_BYTES) break;
    bytes += cost.inPage;
    if (!hasShortColumns(head, maxColumn)) toRead = Math.max(toRead, cost.toRead);
    count += 1;
  }
  return { heads: heads.slice(0, count), memory: 4 * INLINE_BYTES + bytes + toRead };
}

function hasShortColumns(head: FeedHead | CompactHead, maxColumn: number): boolean {
  const { request_bytes: request, response_bytes: response, other_bytes: others } = head;
  return (request ?? 0) <= maxColumn && (response ?? 0) <= maxColumn && others <= maxColumn;
}

/** About how many bytes a row has in a page, and how much memory it takes to read and build it. */
function costOf(
  head: FeedHead | CompactHead,
  view: FeedView,
  maxAnswerBytes: number,
): { readonly inPage: number; readonly toRead: number } {
  const request = head.request_bytes ?? 0;
  const response = head.response_bytes ?? 0;
  const toRead = 4 * (request + response + head.other_bytes);
  if (!('workspace_id' in head)) {
    // Without a stored row it may be an answer, or what the workspace said itself.
    const shown = head.other_bytes > 0 ? request : Math.max(request, response);
    return { inPage: 700 + shown + head.other_bytes, toRead };
  }
  const inbound = head.direction === 'in';
  const isAnswer = carriesAnswer(head);
  const shownRequest = isAnswer ? Math.min(request, maxAnswerBytes) : request;
  if (view === 'compact') {
    return { inPage: 700 + shownRequest + head.other_bytes + (inbound ? 0 : response), toRead };
  }
  const shownResponse = inbound ? Math.min(response, maxAnswerBytes) : 2 * response;
  const texts = isAnswer ? 4 : 2;
  return { inPage: 1_200 + texts * shownRequest + shownResponse + head.other_bytes, toRead };
}
