import { type Selectable, sql } from 'kysely';
import type { PlatformDatabase, PreparedQuery, Queryable } from '../database/platform-database.ts';
import type { ActivityTable } from '../database/schema.ts';
import type { FeedQuery } from './feed-query.rules.ts';
import { visibleUpTo } from './reading-positions.ts';

const SHORT_COLUMNS = [
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
/** Columns of any length. */
const LONG_COLUMNS = [
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

type ShortColumn = (typeof SHORT_COLUMNS)[number];
type LongColumn = (typeof LONG_COLUMNS)[number];

/** A stored row with the name and role of the other workspace. */
export type FeedRecord = Readonly<
  Omit<Selectable<Pick<ActivityTable, ShortColumn | LongColumn>>, 'workspace_id'>
> & {
  readonly workspace_id: string;
  readonly peer_name: string | null;
  readonly peer_role: string | null;
};

/** Sizes of a row's long columns, in bytes; null for an empty one. */
interface ColumnSizes {
  readonly request_bytes: number | null;
  readonly response_bytes: number | null;
  /** Of the other ones together. */
  readonly other_bytes: number;
}

/** A row of a page; long columns are null where they are longer than was asked for. */
export type FeedHead = FeedRecord & ColumnSizes;

/** A row of a page of compact rows: the columns that most of them need. */
export type CompactHead = Pick<
  FeedRecord,
  'seq' | 'id' | 'delivery_state' | 'request_body' | 'compact_row' | 'peer_name' | 'peer_role'
> &
  ColumnSizes;

/** The rows of a page. */
export interface PageSelection {
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

/** The values of a page's query; which of them are there decides its SQL. */
interface PageValues {
  workspaceId: string;
  limit: number;
  maxBytes: number;
  sinceSeq?: number;
  beforeSeq?: number;
  deliverableAt?: string;
  direction?: string;
  type?: string;
  peerId?: string;
  conversationId?: string;
  notBefore?: string;
  before?: string;
  fromCanvas?: true;
  fromAgents?: true;
  unacknowledged?: true;
  afterAcknowledged?: true;
  oldestFirst?: true;
  compact?: true;
  isAgent?: true;
}

interface HeadValues {
  workspaceId: string;
  id: string;
  isAgent?: true;
}

/** The SQL that reads pages of the feed. */
export class FeedPageStore {
  readonly #readPage: PreparedQuery<PageValues, FeedHead | CompactHead>;
  readonly #readHead: PreparedQuery<HeadValues, FeedHead>;
  readonly #readWhole: PreparedQuery<{ seq: number }, FeedRecord>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#readPage = database.prepare(selectPage);
    this.#readHead = database.prepare((db, { id, workspaceId, isAgent }: HeadValues) => {
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
    return (await this.#readHead({ workspaceId, id, ...(isAgent ? { isAgent } : {}) })).rows[0];
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
  if (direction !== undefined) select = select.where(text('direction', false), '=', direction);
  if (type !== undefined) select = select.where(text('activity_type', byType), '=', type);
  if (peerId !== undefined) select = select.where(text('peer_id', byPeer), '=', peerId);
  if (byConversation) select = select.where('a.conversation_id', '=', conversationId);
  const { deliverableAt } = values;
  if (deliverableAt !== undefined) {
    select = select
      .where((eb) => eb.or([eb('a.expires_at', 'is', null), eb('a.expires_at', '>', deliverableAt)]))
      .where('a.delivery_state', 'not in', ['expired', 'canceled']);
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

function bytesOf(name: LongColumn) {
  return sql<number | null>`octet_length(${sql.ref(`a.${name}`)})`;
}

function ifShort(name: LongColumn, maxBytes: number) {
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

function valuesOf({ query, isAgent, ...selection }: PageSelection): PageValues {
  const { workspaceId, sinceSeq, beforeSeq, deliverableAt, maxColumnBytes } = selection;
  const { direction, type, peerId, conversationId, notBefore, before, source } = query;
  const values: PageValues = { workspaceId, limit: query.limit + 1, maxBytes: maxColumnBytes };
  const given = {
    sinceSeq,
    beforeSeq,
    deliverableAt,
    direction,
    type,
    peerId,
    conversationId,
    notBefore,
    before,
  };
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) Object.assign(values, { [name]: value });
  }
  if (source === 'canvas') values.fromCanvas = true;
  if (source === 'agent') values.fromAgents = true;
  if (query.unacknowledged) values.unacknowledged = true;
  if (query.afterAcknowledged) values.afterAcknowledged = true;
  if (query.order === 'asc') values.oldestFirst = true;
  if (query.view === 'compact') values.compact = true;
  if (isAgent) values.isAgent = true;
  return values;
}

type FilterColumn = 'direction' | 'activity_type' | 'peer_id' | 'created_at';
