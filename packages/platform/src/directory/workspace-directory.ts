import type { PlatformDatabase, PreparedQuery, Queryable } from '../database/platform-database.ts';
import type { NewWorkspaceRow, WorkspaceRow, WorkspaceUpdate } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';

/** What decides how messages of and to a workspace are handled: a part of its row, because it is read for each of them. */
const PARTY_COLUMNS = [
  'id',
  'name',
  'role',
  'status',
  'delivery_mode',
  'url',
  'agent_card',
  'parent_id',
  'max_concurrent_tasks',
  'monthly_spend',
  'budget_limit',
  'last_outbound_at',
  'acknowledged_at',
  'visible_seq',
  'removed_at',
] as const;

/** A workspace that sends or receives a message. */
export type Party = Pick<WorkspaceRow, (typeof PARTY_COLUMNS)[number]>;

/**
 * The rows of workspaces, for all other modules. Inside a transaction its `trx` is the last argument; without one a
 * query runs on its own.
 */
export class WorkspaceDirectory {
  readonly #query: Queryable;
  readonly #select: PreparedQuery<{ id: string }, WorkspaceRow>;
  readonly #selectLiveIds: PreparedQuery<Record<string, never>, { id: string }>;
  readonly #selectParties: PreparedQuery<Readonly<Record<number, string>>, Party>;
  readonly #update: PreparedQuery<{ readonly rowId: string } & WorkspaceUpdate, unknown>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#query = database.query;
    this.#select = database.prepare((db, { id }: { id: string }) =>
      db.selectFrom('workspaces').selectAll().where('id', '=', id),
    );
    this.#selectLiveIds = database.prepare((db) =>
      db
        .selectFrom('workspaces')
        .select('id')
        .where('status', 'in', ['online', 'degraded'])
        .where('runtime', '=', 'external'),
    );
    this.#selectParties = database.prepareVariants((db, ids: Readonly<Record<number, string>>) =>
      db.selectFrom('workspaces').select(PARTY_COLUMNS).where('id', 'in', Object.values(ids)),
    );
    this.#update = database.prepareVariants((db, { rowId, ...change }: { rowId: string } & WorkspaceUpdate) =>
      db.updateTable('workspaces').set(change).where('id', '=', rowId),
    );
  }

  /** The row, removed or not. */
  async find(id: string, db: Queryable = this.#query): Promise<WorkspaceRow | undefined> {
    const { rows } = await this.#select({ id }, db);
    return rows[0];
  }

  /** The rows of these ids, removed or not, in no order; unknown ids are left out. */
  async findMany(ids: readonly string[], db: Queryable = this.#query): Promise<WorkspaceRow[]> {
    return ids.length === 0 ? [] : db.selectFrom('workspaces').selectAll().where('id', 'in', ids).execute();
  }

  /** The same of what decides how messages are handled. */
  async findParties(ids: readonly string[], db: Queryable = this.#query): Promise<Party[]> {
    if (ids.length === 0) return [];
    const { rows } = await this.#selectParties({ ...ids }, db);
    return rows;
  }

  /** The row, or 404 for an unknown and 410 for a removed workspace. */
  async require(id: string, db: Queryable = this.#query): Promise<WorkspaceRow> {
    return requireAlive(await this.find(id, db));
  }

  /** Every row that is not removed, oldest first. */
  async list(): Promise<WorkspaceRow[]> {
    return this.#alive(this.#query).execute();
  }

  /** Siblings, children, then the parent; neither removed ones nor the workspace itself. */
  async relatives(member: WorkspaceRow, db: Queryable = this.#query): Promise<WorkspaceRow[]> {
    const others = this.#alive(db).where('id', '!=', member.id);
    const { parent_id: parentId } = member;
    const siblings = await (parentId === null
      ? others.where('parent_id', 'is', null)
      : others.where('parent_id', '=', parentId)
    ).execute();
    const children = await others.where('parent_id', '=', member.id).execute();
    const parents = parentId === null ? [] : await others.where('id', '=', parentId).execute();
    return [...siblings, ...children, ...parents];
  }

  async insert(row: NewWorkspaceRow, db: Queryable): Promise<void> {
    await db.insertInto('workspaces').values(row).execute();
  }

  /** Writes some columns; true when there is such a row. */
  async update(id: string, change: WorkspaceUpdate, db: Queryable = this.#query): Promise<boolean> {
    const { numAffectedRows } = await this.#update({ ...change, rowId: id }, db);
    return numAffectedRows !== undefined && numAffectedRows > 0n;
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

  /** Ids of the external workspaces that are online or degraded. */
  async listLiveIds(): Promise<string[]> {
    const { rows } = await this.#selectLiveIds({});
    return rows.map((row) => row.id);
  }

  /** Marks an online or degraded workspace as offline; false when it was neither. */
  async markOffline(id: string, updatedAt: string, db: Queryable): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('workspaces')
      .set({ status: 'offline', updated_at: updatedAt })
      .where('id', '=', id)
      .where('status', 'in', ['online', 'degraded'])
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
export function requireAlive<Row extends Party>(row: Row | undefined): Row {
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
