import {
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type SqlBool,
  type StringReference,
  sql,
  type Updateable,
} from 'kysely';
import { prepareQuery } from '../database/prepared-query.ts';
import type { ActivityRowRecord, ActivityTable, Database } from '../database/schema.ts';
import type { FeedRecord } from './activity-row.rules.ts';
import type { FeedQuery } from './feed-query.rules.ts';

/** A row as its event tells of it: without its bodies, which may be long. */
export type ToldActivity = Pick<ActivityRowRecord, (typeof TOLD_COLUMNS)[number]>;

const TOLD_COLUMNS = [
  ...(['id', 'workspace_id', 'seq', 'activity_type', 'method', 'summary', 'status'] as const),
  ...(['source_id', 'target_id', 'duration_ms', 'message_id', 'delivery_state', 'tool_trace'] as const),
] as const;

const insertRow = prepareQuery((db, row: Omit<ActivityRowRecord, 'seq'>) =>
  db.insertInto('activity').values(row).returning('seq'),
);

const changeRow = prepareQuery((db, { of, ...change }: Updateable<ActivityTable> & { readonly of: string }) =>
  db.updateTable('activity').set(change).where('id', '=', of).returning(TOLD_COLUMNS),
);

const selectRequest = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('activity').select('request_body').where('id', '=', id),
);

const selectPending = prepareQuery((db, { workspaceId }: { workspaceId: string }) =>
  db
    .selectFrom('activity')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('workspace_id', '=', workspaceId)
    .where((eb) => isUnfinished(eb, 'delivery_state'))
    .where('delivery_state', '=', 'pending'),
);

/** Inserts one row and gives its place in the feed. */
export async function insertActivity(
  db: Kysely<Database>,
  row: Omit<ActivityRowRecord, 'seq'>,
): Promise<number> {
  const { rows } = await insertRow(db, row);
  return Number(rows[0]?.seq);
}

/** Writes some columns and gives what is told of the row as it is now. */
export async function updateActivity(
  db: Kysely<Database>,
  id: string,
  change: Updateable<ActivityTable>,
): Promise<ToldActivity | undefined> {
  const { rows } = await changeRow(db, { ...change, of: id });
  return rows[0];
}

/** Reads the request of one row as it was stored. */
export async function readRequestBody(db: Kysely<Database>, id: string): Promise<string | null> {
  const { rows } = await selectRequest(db, { id });
  return rows[0]?.request_body ?? null;
}

/** Finds the place of a row in the feed of its workspace. */
export async function readSeq(
  db: Kysely<Database>,
  workspaceId: string,
  id: string,
): Promise<number | undefined> {
  const row = await db
    .selectFrom('activity')
    .select('seq')
    .where('id', '=', id)
    .where('workspace_id', '=', workspaceId)
    .executeTakeFirst();
  return row === undefined ? undefined : Number(row.seq);
}

/** Finds the id of the last row of the workspace up to a place in the feed. */
export async function readIdUpTo(
  db: Kysely<Database>,
  workspaceId: string,
  seq: number,
): Promise<{ id: string; seq: number } | undefined> {
  const row = await db
    .selectFrom('activity')
    .select(['id', 'seq'])
    .where('workspace_id', '=', workspaceId)
    .where('seq', '<=', seq)
    .orderBy('seq', 'desc')
    .executeTakeFirst();
  return row === undefined ? undefined : { id: row.id, seq: Number(row.seq) };
}

/** Finds the row that an idempotency key of the workspace made. */
export async function readByIdempotencyKey(
  db: Kysely<Database>,
  workspaceId: string,
  key: string,
): Promise<ActivityRowRecord | undefined> {
  return db
    .selectFrom('activity')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('idempotency_key', '=', key)
    .executeTakeFirst();
}

/**
 * Reads one page, one row more than asked for when there are more. Each page runs along one index in its own
 * order: feed order along `seq`, a page with times and no cursor along `created_at`. Filters that do not belong
 * to that index are written so that no planner takes another one and sorts.
 */
export async function readFeed(
  db: Kysely<Database>,
  workspaceId: string,
  query: FeedQuery,
  sinceSeq: number | undefined,
): Promise<FeedRecord[]> {
  const { direction, type, peerId, notBefore, before } = query;
  const isTimed = notBefore !== undefined || before !== undefined;
  const byTime = isTimed && sinceSeq === undefined && !query.unacknowledged;
  const byPeer = peerId !== undefined && !query.unacknowledged;
  const byType = type !== undefined && !query.unacknowledged && !byTime && !byPeer;
  let select = db
    .selectFrom('activity as a')
    .leftJoin('workspaces as peer', 'peer.id', 'a.peer_id')
    .selectAll('a')
    .select(['peer.name as peer_name', 'peer.role as peer_role'])
    .where('a.workspace_id', '=', workspaceId)
    .limit(query.limit + 1);
  const text = (column: FilterColumn, isIndexed: boolean) =>
    isIndexed ? sql.ref<string>(`a.${column}`) : sql<string>`${sql.ref(`a.${column}`)} || ''`;
  if (query.unacknowledged) {
    select = select
      .where((eb) => isUnfinished(eb, 'a.delivery_state'))
      .where('a.delivery_state', '=', 'pending');
  }
  if (direction !== undefined) select = select.where(text('direction', false), '=', direction);
  if (type !== undefined) select = select.where(text('activity_type', byType), '=', type);
  if (peerId !== undefined) select = select.where(text('peer_id', byPeer), '=', peerId);
  if (query.source !== undefined) {
    select = select.where('a.source_id', query.source === 'canvas' ? 'is' : 'is not', null);
  }
  if (sinceSeq !== undefined) select = select.where('a.seq', '>', sinceSeq);
  if (notBefore !== undefined) select = select.where(text('created_at', byTime), '>=', notBefore);
  if (before !== undefined) select = select.where(text('created_at', byTime), '<', before);
  if (byTime) select = select.orderBy('a.created_at', query.order);
  return select.orderBy('a.seq', query.order).execute();
}

type FilterColumn = 'direction' | 'activity_type' | 'peer_id' | 'created_at';

/** Not finished by its agent; in the words of the index `activity_by_delivery`, so that planners take it. */
function isUnfinished<DB, Table extends keyof DB>(
  eb: ExpressionBuilder<DB, Table>,
  column: StringReference<DB, Table>,
): Expression<SqlBool> {
  return sql<SqlBool>`${eb.ref(column)} in ('pending', 'leased')`;
}

/** Counts the inbound rows that still wait for their agent. */
export async function countPending(db: Kysely<Database>, workspaceId: string): Promise<number> {
  const { rows } = await selectPending(db, { workspaceId });
  return Number(rows[0]?.count ?? 0);
}

/** Marks the waiting inbound rows up to a place in the feed as finished; gives how many. */
export async function acknowledgeRows(
  db: Kysely<Database>,
  workspaceId: string,
  seq: number,
): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('activity')
    .set({ delivery_state: 'acknowledged', status: 'ok' })
    .where('workspace_id', '=', workspaceId)
    .where((eb) => isUnfinished(eb, 'delivery_state'))
    .where('seq', '<=', seq)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** Deletes old rows that nobody waits for, at most `limit`; gives how many. */
export async function pruneActivity(db: Kysely<Database>, before: string, limit: number): Promise<number> {
  const old = db
    .selectFrom('activity')
    .select('seq')
    .where('created_at', '<', before)
    .where('delivery_state', 'not in', ['pending', 'leased'])
    .orderBy('seq')
    .limit(limit);
  const { numDeletedRows } = await db.deleteFrom('activity').where('seq', 'in', old).executeTakeFirst();
  return Number(numDeletedRows);
}
