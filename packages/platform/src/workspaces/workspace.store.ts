import type { Kysely } from 'kysely';
import { prepareQuery } from '../database/prepared-query.ts';
import type { Database, NewWorkspaceRow, WorkspaceRow, WorkspaceUpdate } from '../database/schema.ts';

const selectWorkspace = prepareQuery((db, { id }: { id: string }) =>
  db.selectFrom('workspaces').selectAll().where('id', '=', id),
);

const selectWorkspaces = prepareQuery((db, ids: Readonly<Record<number, string>>) =>
  db.selectFrom('workspaces').selectAll().where('id', 'in', Object.values(ids)),
);

/** Reads one row, removed or not. */
export async function readWorkspace(db: Kysely<Database>, id: string): Promise<WorkspaceRow | undefined> {
  const { rows } = await selectWorkspace(db, { id });
  return rows[0];
}

/** Reads rows by id, in no order. */
export async function readWorkspaces(db: Kysely<Database>, ids: readonly string[]): Promise<WorkspaceRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await selectWorkspaces(db, { ...ids });
  return rows;
}

/** Reads every row that is not removed, oldest first. */
export async function listWorkspaces(db: Kysely<Database>): Promise<WorkspaceRow[]> {
  return db
    .selectFrom('workspaces')
    .selectAll()
    .where('status', '!=', 'removed')
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

/** Reads the siblings, the children and the parent of a workspace that are not removed, in that order. */
export async function readRelatives(db: Kysely<Database>, member: WorkspaceRow): Promise<WorkspaceRow[]> {
  const alive = db
    .selectFrom('workspaces')
    .selectAll()
    .where('status', '!=', 'removed')
    .where('id', '!=', member.id)
    .orderBy('created_at')
    .orderBy('id');
  const parentId = member.parent_id;
  const siblings = await (parentId === null
    ? alive.where('parent_id', 'is', null)
    : alive.where('parent_id', '=', parentId)
  ).execute();
  const children = await alive.where('parent_id', '=', member.id).execute();
  const parents = parentId === null ? [] : await alive.where('id', '=', parentId).execute();
  return [...siblings, ...children, ...parents];
}

export async function insertWorkspace(db: Kysely<Database>, row: NewWorkspaceRow): Promise<void> {
  await db.insertInto('workspaces').values(row).execute();
}

/** Writes some columns of one row; true when there was such a row. */
export async function updateWorkspace(
  db: Kysely<Database>,
  id: string,
  change: WorkspaceUpdate,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('workspaces')
    .set(change)
    .where('id', '=', id)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Deletes rows for good; what refers to them goes with them. */
export async function deleteWorkspaces(db: Kysely<Database>, ids: readonly string[]): Promise<void> {
  await db.deleteFrom('workspaces').where('id', 'in', ids).execute();
}
