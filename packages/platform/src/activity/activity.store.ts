import { type Expression, type ExpressionBuilder, type SqlBool, type StringReference, sql } from 'kysely';
import type { PlatformDatabase, PreparedQuery, Queryable } from '../database/platform-database.ts';
import type { ActivityRowRecord } from '../database/schema.ts';
import { bytesInSql, isOwnRow } from './own-rows.ts';
import { readWithoutAcknowledging, visibleUpTo } from './reading-positions.ts';

/** A row before its insert; the database assigns `seq`. */
export type RowWithoutSeq = Omit<ActivityRowRecord, 'seq'>;

/** The messages that wait for a workspace: all of them, or for one that never acknowledges those that it has not read. */
interface Waiting {
  readonly workspaceId: string;
  readonly acknowledgingSince: string;
}

/** The SQL of the feed: inserts, acknowledgement, deletion of old rows. */
export class ActivityStore {
  readonly #database: PlatformDatabase;
  readonly #insert: PreparedQuery<RowWithoutSeq, { seq: number }>;
  readonly #countPending: PreparedQuery<Waiting, { count: string | number | bigint }>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#database = database;
    this.#insert = database.prepare((db, row: RowWithoutSeq) =>
      db
        .insertInto('activity')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .returning('seq'),
    );
    this.#countPending = database.prepare((db, { workspaceId, acknowledgingSince }: Waiting) =>
      db
        .selectFrom('activity')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('workspace_id', '=', workspaceId)
        .where((eb) => isUndelivered(eb, 'delivery_state'))
        .where('delivery_state', '=', 'pending')
        .where('seq', '>', readWithoutAcknowledging(workspaceId, acknowledgingSince)),
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

  /** Reads the position of a row that the agent sees, and whether it is an inbound message. */
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
      .where('seq', '<=', visibleUpTo(workspaceId))
      .executeTakeFirst();
    return row === undefined ? undefined : { seq: Number(row.seq), isInbound: row.direction === 'in' };
  }

  /** Reads the last inbound message of the workspace up to `seq` that its agent sees. */
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
      .where('seq', '<=', visibleUpTo(workspaceId))
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

  /** Counts the messages that wait for their agent. */
  async countPending(waiting: Waiting, db?: Queryable): Promise<number> {
    const { rows } = await this.#countPending(waiting, db);
    return Number(rows[0]?.count ?? 0);
  }

  /**
   * Deletes old rows except open messages and outcomes that a caller still has to get, at most `limit`; returns how many,
   * and how much of it each workspace had written itself.
   */
  async prune(before: string, limit: number, db: Queryable): Promise<DeletedRows> {
    const old = db
      .selectFrom('activity')
      .select('seq')
      .where('created_at', '<', before)
      // A message is kept from its end on, so that its sender can still learn of it.
      .where('changed_at', '<', before)
      .where('expires_at', 'is', null)
      .where('caller_receipt', '!=', 'sent')
      .orderBy('seq')
      .limit(limit);
    const rows = await db
      .deleteFrom('activity')
      .where('seq', 'in', old)
      .returning(['workspace_id', 'caller', 'message_id', bytesInSql().as('bytes')])
      .execute();
    const ownBytes = new Map<string, number>();
    for (const row of rows) {
      if (row.workspace_id === null || !isOwnRow(row)) continue;
      ownBytes.set(row.workspace_id, (ownBytes.get(row.workspace_id) ?? 0) + Number(row.bytes));
    }
    return { count: rows.length, ownBytes };
  }

  /** Lists the workspaces that may have rows. */
  async listFeeds(): Promise<string[]> {
    const rows = await this.#database.query.selectFrom('workspaces').select('id').execute();
    return rows.map(({ id }) => id);
  }

  /** The size of the newest finished rows of a feed below `seq`, without reading their texts. */
  measureFinished(
    workspaceId: string,
    seq: number,
    limit: number,
  ): Promise<{ seq: number; bytes: number }[]> {
    return this.#finished(workspaceId)
      .select(['seq', sql<number>`${bytesInSql()} + ${questionBytes()}`.as('bytes')])
      .where('seq', '<', seq)
      .orderBy('seq', 'desc')
      .limit(limit)
      .execute();
  }

  /** Deletes the oldest finished rows of a feed up to `seq`; returns how many. */
  async deleteFinished(workspaceId: string, seq: number, limit: number): Promise<number> {
    const oldest = this.#finished(workspaceId)
      .select('seq')
      .where('seq', '<=', seq)
      .where('caller_receipt', '!=', 'sent')
      .orderBy('seq')
      .limit(limit);
    const { numDeletedRows } = await this.#database.query
      .deleteFrom('activity')
      .where('seq', 'in', oldest)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  /** Messages that have ended; own rows have a limit of their own. */
  #finished(workspaceId: string) {
    return this.#database.query
      .selectFrom('activity')
      .where('workspace_id', '=', workspaceId)
      .where('message_id', 'is not', null)
      .where('expires_at', 'is', null);
  }
}

/** In SQL: the bytes of the questions that were asked about a message, which are deleted with it. */
function questionBytes() {
  const bytes = (column: string) => sql`octet_length(coalesce(${sql.ref(column)}, ''))`;
  return sql<number>`coalesce((select sum(${bytes('questions.text')} + ${bytes('questions.data')} + ${bytes('questions.answer')}) from questions where questions.activity_id = activity.id), 0)`;
}

/** What a deletion removed: rows, and bytes of each workspace's own rows. */
interface DeletedRows {
  readonly count: number;
  readonly ownBytes: ReadonlyMap<string, number>;
}

/** Pending or being pushed; the exact condition of the index `activity_by_delivery`, so that the planner uses it. */
function isUndelivered<DB, Table extends keyof DB>(
  eb: ExpressionBuilder<DB, Table>,
  column: StringReference<DB, Table>,
): Expression<SqlBool> {
  return sql<SqlBool>`${eb.ref(column)} in ('pending', 'leased')`;
}
