import { type Expression, type ExpressionBuilder, type SqlBool, type StringReference, sql } from 'kysely';
import type { PlatformDatabase, PreparedQuery, Queryable } from '../database/platform-database.ts';
import type { ActivityRowRecord } from '../database/schema.ts';
import type { FeedRecord } from './activity-row.rules.ts';
import type { FeedQuery } from './feed-query.rules.ts';

/** A row before its insert; the database assigns `seq`. */
export type RowWithoutSeq = Omit<ActivityRowRecord, 'seq'>;

/** The SQL of the feed: inserts, pages, acknowledgement, deletion of old rows. */
export class ActivityStore {
  readonly #database: PlatformDatabase;
  readonly #insert: PreparedQuery<RowWithoutSeq, { seq: number }>;
  readonly #countPending: PreparedQuery<{ workspaceId: string }, { count: string | number | bigint }>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#database = database;
    this.#insert = database.prepare((db, row: RowWithoutSeq) =>
      db
        .insertInto('activity')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .returning('seq'),
    );
    this.#countPending = database.prepare((db, { workspaceId }: { workspaceId: string }) =>
      db
        .selectFrom('activity')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('workspace_id', '=', workspaceId)
        .where((eb) => isUndelivered(eb, 'delivery_state'))
        .where('delivery_state', '=', 'pending'),
    );
  }

  /**
   * Inserts one row; undefined when there is one with the same (caller, message id) or the same (workspace,
   * idempotency key).
   */
  async insert(row: RowWithoutSeq, db: Queryable): Promise<ActivityRowRecord | undefined> {
    const { rows } = await this.#insert(row, db);
    const [inserted] = rows;
    return inserted === undefined ? undefined : { ...row, seq: Number(inserted.seq) };
  }

  /** Reads the `seq` of a row. */
  async readSeq(
    workspaceId: string,
    id: string,
    db: Queryable = this.#database.query,
  ): Promise<number | undefined> {
    const row = await db
      .selectFrom('activity')
      .select('seq')
      .where('id', '=', id)
      .where('workspace_id', '=', workspaceId)
      .executeTakeFirst();
    return row === undefined ? undefined : Number(row.seq);
  }

  /** Reads the position of a row, and whether it is an inbound message. */
  async readPosition(
    workspaceId: string,
    id: string,
    db: Queryable,
  ): Promise<{ readonly seq: number; readonly isInbound: boolean } | undefined> {
    const row = await db
      .selectFrom('activity')
      .select(['seq', 'direction'])
      .where('id', '=', id)
      .where('workspace_id', '=', workspaceId)
      .executeTakeFirst();
    return row === undefined ? undefined : { seq: Number(row.seq), isInbound: row.direction === 'in' };
  }

  /** Reads the last inbound message of the workspace up to `seq`. */
  async readLastUpTo(
    workspaceId: string,
    seq: number,
    db: Queryable,
  ): Promise<{ id: string; seq: number } | undefined> {
    const row = await db
      .selectFrom('activity')
      .select(['id', 'seq'])
      .where('workspace_id', '=', workspaceId)
      .where('activity_type', '=', 'a2a_receive')
      .where('direction', '=', 'in')
      .where('seq', '<=', seq)
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row === undefined ? undefined : { id: row.id, seq: Number(row.seq) };
  }

  async readByIdempotencyKey(
    workspaceId: string,
    key: string,
    db: Queryable,
  ): Promise<ActivityRowRecord | undefined> {
    return db
      .selectFrom('activity')
      .selectAll()
      .where('workspace_id', '=', workspaceId)
      .where('idempotency_key', '=', key)
      .executeTakeFirst();
  }

  /**
   * Reads one page, and one row more than the limit when there are more. Each page is an index scan in the order of the
   * page: by `seq`, or by `created_at` for a page with times and no cursor. Filters on other columns are written so that
   * no query planner chooses another index and sorts.
   */
  async readPage(
    workspaceId: string,
    query: FeedQuery,
    sinceSeq: number | undefined,
    /** Set for an agent that reads its messages: leaves out those that had expired by then or were canceled. */
    deliverableAt?: string,
  ): Promise<FeedRecord[]> {
    const { direction, type, peerId, conversationId, notBefore, before } = query;
    const isTimed = notBefore !== undefined || before !== undefined;
    const byConversation = conversationId !== undefined;
    const byTime = isTimed && sinceSeq === undefined && !query.unacknowledged && !byConversation;
    const byPeer = peerId !== undefined && !byConversation;
    const byType = type !== undefined && !byTime && !byPeer && !byConversation;
    let select = this.#database.query
      .selectFrom('activity as a')
      .leftJoin('workspaces as peer', 'peer.id', 'a.peer_id')
      .selectAll('a')
      .select(['peer.name as peer_name', 'peer.role as peer_role'])
      .where('a.workspace_id', '=', workspaceId)
      .$narrowType<{ workspace_id: string }>()
      .limit(query.limit + 1);
    const text = (column: FilterColumn, isIndexed: boolean) =>
      isIndexed ? sql.ref<string>(`a.${column}`) : sql<string>`${sql.ref(`a.${column}`)} || ''`;
    if (query.afterAcknowledged) {
      select = select.where('a.seq', '>', (eb) =>
        eb.selectFrom('workspaces as own').select('own.acknowledged_seq').where('own.id', '=', workspaceId),
      );
    }
    if (query.unacknowledged) {
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
    if (deliverableAt !== undefined) {
      select = select
        .where((eb) => eb.or([eb('a.expires_at', 'is', null), eb('a.expires_at', '>', deliverableAt)]))
        .where('a.delivery_state', 'not in', ['expired', 'canceled']);
    }
    if (query.source !== undefined) {
      select = select.where('a.source_id', query.source === 'canvas' ? 'is' : 'is not', null);
    }
    if (sinceSeq !== undefined) select = select.where('a.seq', '>', sinceSeq);
    if (notBefore !== undefined) select = select.where(text('created_at', byTime), '>=', notBefore);
    if (before !== undefined) select = select.where(text('created_at', byTime), '<', before);
    if (byTime) select = select.orderBy('a.created_at', query.order);
    return select.orderBy('a.seq', query.order).execute();
  }

  /** Counts the messages that wait for their agent. */
  async countPending(workspaceId: string, db?: Queryable): Promise<number> {
    const { rows } = await this.#countPending({ workspaceId }, db);
    return Number(rows[0]?.count ?? 0);
  }

  /** Deletes old rows except open messages and outcomes that a caller still has to get, at most `limit`; returns how many. */
  async prune(before: string, limit: number): Promise<number> {
    const { query } = this.#database;
    const old = query
      .selectFrom('activity')
      .select('seq')
      .where('created_at', '<', before)
      // A message is kept from its end on, so that its sender can still learn of it.
      .where('changed_at', '<', before)
      .where('expires_at', 'is', null)
      .where('caller_receipt', '!=', 'sent')
      .orderBy('seq')
      .limit(limit);
    const { numDeletedRows } = await query.deleteFrom('activity').where('seq', 'in', old).executeTakeFirst();
    return Number(numDeletedRows);
  }
}

type FilterColumn = 'direction' | 'activity_type' | 'peer_id' | 'created_at';

/** Pending or being pushed; the exact condition of the index `activity_by_delivery`, so that the planner uses it. */
function isUndelivered<DB, Table extends keyof DB>(
  eb: ExpressionBuilder<DB, Table>,
  column: StringReference<DB, Table>,
): Expression<SqlBool> {
  return sql<SqlBool>`${eb.ref(column)} in ('pending', 'leased')`;
}
