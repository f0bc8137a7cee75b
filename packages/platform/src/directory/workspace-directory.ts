import type {
  PlatformDatabase,
  PreparedQuery,
  Queryable,
  UnitOfWork,
} from '../database/platform-database.ts';
import type { NewWorkspaceRow, WorkspaceRow, WorkspaceUpdate } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';

/** A workspace whose agent is there, and when it was heard of last. */
export type LiveWorkspace = Pick<WorkspaceRow, 'id' | 'last_heartbeat_at'>;

/**
 * The rows of workspaces, for all other modules. Inside a transaction its `trx` is the last argument; without one a
 * query runs on its own.
 */
export class WorkspaceDirectory {
  readonly #query: Queryable;
  readonly #select: PreparedQuery<{ id: string }, WorkspaceRow>;
  readonly #selectAll: PreparedQuery<Readonly<Record<number, string>>, WorkspaceRow>;
  readonly #change: PreparedQuery<{ readonly of: string; readonly from: string } & WorkspaceUpdate, unknown>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#query = database.query;
    this.#select = database.prepare((db, { id }: { id: string }) =>
      db.selectFrom('workspaces').selectAll().where('id', '=', id),
    );
    this.#selectAll = database.prepareVariants((db, ids: Readonly<Record<number, string>>) =>
      db.selectFrom('workspaces').selectAll().where('id', 'in', Object.values(ids)),
    );
    this.#change = database.prepareVariants((db, { of, from, ...change }) =>
      db.updateTable('workspaces').set(change).where('id', '=', of).where('status', '=', from),
    );
  }

  /** The row, removed or not. */
  async find(id: string, db: Queryable = this.#query): Promise<WorkspaceRow | undefined> {
    const { rows } = await this.#select({ id }, db);
    return rows[0];
  }

  /** The rows with these ids, removed or not, in no order; unknown ids are left out. */
  async findAll(ids: readonly string[], db: Queryable = this.#query): Promise<WorkspaceRow[]> {
    if (ids.length === 0) return [];
    const { rows } = await this.#selectAll({ ...ids }, db);
    return rows;
  }

  /** The row, or 404 for an unknown and 410 for a removed workspace. */
  async require(id: string, db: Queryable = this.#query): Promise<WorkspaceRow> {
    return requireAlive(await this.find(id, db));
  }

  /** Locks the workspace until the transaction ends, then as `require`. */
  async lock(unit: UnitOfWork, id: string): Promise<WorkspaceRow> {
    await unit.lock?.(id);
    return this.require(id, unit.trx);
  }

  /** Every row that is not removed, oldest first. */
  async list(): Promise<WorkspaceRow[]> {
    return this.#alive(this.#query).execute();
  }

  /** Siblings, children, then the parent; neither removed ones nor the workspace itself. */
  async relatives({ id, parent_id: parentId }: WorkspaceRow): Promise<WorkspaceRow[]> {
    const rows = await this.#alive(this.#query)
      .where('id', '!=', id)
      .where((eb) =>
        eb.or([
          eb('parent_id', 'is not distinct from', parentId),
          eb('parent_id', '=', id),
          eb('id', '=', parentId),
        ]),
      )
      .execute();
    const siblings = rows.filter((row) => row.parent_id === parentId);
    const children = rows.filter((row) => row.parent_id === id);
    return [...siblings, ...children, ...rows.filter((row) => row.id === parentId)];
  }

  async insert(row: NewWorkspaceRow, db: Queryable): Promise<void> {
    await db.insertInto('workspaces').values(row).execute();
  }

  /** Writes some columns if the workspace still has the status with which it was read; false when another writer was faster. */
  async change(
    { id: of, status: from }: Pick<WorkspaceRow, 'id' | 'status'>,
    change: WorkspaceUpdate,
    db: Queryable,
  ): Promise<boolean> {
    const { numAffectedRows } = await this.#change({ ...change, of, from }, db);
    return numAffectedRows === 1n;
  }

  /** Moves the acknowledged position forward, never back, and returns the position now; `change` is written in any case. */
  async acknowledge(
    id: string,
    seq: number,
    change: Pick<WorkspaceUpdate, 'acknowledged_at'>,
    db: Queryable,
  ): Promise<number> {
    const { acknowledged_seq: position } = await db
      .updateTable('workspaces')
      .set((eb) => ({
        ...change,
        acknowledged_seq: eb
          .case()
          .when('acknowledged_seq', '<', seq)
          .then(seq)
          .else(eb.ref('acknowledged_seq'))
          .end(),
      }))
      .where('id', '=', id)
      .returning('acknowledged_seq')
      .executeTakeFirstOrThrow(workspaceNotFound);
    return Number(position);
  }

  /** Counts bytes that a workspace has stored itself; false, and nothing is counted, when they would be more than `limit`. */
  async addOwnBytes(id: string, bytes: number, limit: number, db: Queryable): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('workspaces')
      .set((eb) => ({ own_bytes: eb('own_bytes', '+', bytes) }))
      .where('id', '=', id)
      .where('own_bytes', '<=', limit - bytes)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** Deletes rows permanently, with everything that refers to them. */
  async delete(ids: readonly string[], db: Queryable): Promise<void> {
    await db.deleteFrom('workspaces').where('id', 'in', ids).execute();
  }

  /** Marks an unclaimed workspace as claimed; false when it was claimed before. */
  async claim(id: string, claimedAt: string, db: Queryable = this.#query): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('workspaces')
      .set({ claimed_at: claimedAt })
      .where('id', '=', id)
      .where('claimed_at', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** The external workspaces that are online or degraded. */
  listLive(): Promise<LiveWorkspace[]> {
    return this.#query
      .selectFrom('workspaces')
      .select(['id', 'last_heartbeat_at'])
      .where('status', 'in', ['online', 'degraded'])
      .where('runtime', '=', 'external')
      .execute();
  }

  /** Marks an online or degraded workspace as offline; false when it was neither, or has sent a heartbeat since it was read. */
  async markOffline({ id, last_heartbeat_at }: LiveWorkspace, now: string, db: Queryable): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('workspaces')
      .set({ status: 'offline', updated_at: now })
      .where('id', '=', id)
      .where('status', 'in', ['online', 'degraded'])
      .where('last_heartbeat_at', '=', last_heartbeat_at)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  #alive(db: Queryable) {
    return db
      .selectFrom('workspaces')
      .selectAll()
      .where('status', '!=', 'removed')
      .orderBy('created_at')
      .orderBy('id');
  }
}

/** The row when there is one that is not removed; else 404 or 410. */
export function requireAlive<Row extends Pick<WorkspaceRow, 'id' | 'status' | 'removed_at'>>(
  row: Row | undefined,
): Row {
  if (row === undefined) throw workspaceNotFound();
  if (row.status === 'removed') throw workspaceRemoved(row.id, row.removed_at);
  return row;
}

export function workspaceNotFound(): HttpError {
  return new HttpError(404, 'workspace_not_found', 'workspace not found', {
    hint: 'Check the id; GET /workspaces lists all for an operator.',
  });
}

/** 410, so that callers do not retry. */
export function workspaceRemoved(id: string, removedAt: string | null): HttpError {
  return new HttpError(410, 'workspace_removed', 'workspace removed', {
    id,
    removed_at: removedAt,
    deleted: true,
    hint: 'A removed workspace cannot be brought back; a new one has an id and a token of its own.',
  });
}
