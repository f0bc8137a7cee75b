import type { Kysely } from 'kysely';
import type { PlatformContext } from '../context.ts';
import type { Database, WorkspaceRow, WorkspaceUpdate } from '../database/schema.ts';
import { ApiError } from '../http/api-error.ts';
import { readRelatives, readWorkspace, readWorkspaces, updateWorkspace } from './workspace.store.ts';

/** Rows of workspaces for the other rooms. Inside a transaction pass its `trx` as the last argument. */
export interface WorkspaceLookup {
  find(id: string, db?: Kysely<Database>): Promise<WorkspaceRow | undefined>;
  findMany(ids: readonly string[], db?: Kysely<Database>): Promise<WorkspaceRow[]>;
  /** The row, or 404 for an unknown and 410 for a removed workspace. */
  require(id: string, db?: Kysely<Database>): Promise<WorkspaceRow>;
  /** Siblings, children, then the parent; neither removed ones nor the workspace itself. */
  relatives(member: WorkspaceRow, db?: Kysely<Database>): Promise<WorkspaceRow[]>;
  /** Writes columns that another room is the owner of. */
  update(id: string, change: WorkspaceUpdate, db?: Kysely<Database>): Promise<boolean>;
}

export function createWorkspaceLookup(context: PlatformContext): WorkspaceLookup {
  return {
    find: (id, db = context.db) => readWorkspace(db, id),
    findMany: (ids, db = context.db) => readWorkspaces(db, ids),
    require: async (id, db = context.db) => requireAlive(await readWorkspace(db, id)),
    relatives: (member, db = context.db) => readRelatives(db, member),
    update: (id, change, db = context.db) => updateWorkspace(db, id, change),
  };
}

/** The row when there is one that is not removed; else the error the contract has for it. */
export function requireAlive(row: WorkspaceRow | undefined): WorkspaceRow {
  if (row === undefined) throw workspaceNotFound();
  if (row.status === 'removed') throw workspaceRemoved(row.id, row.removed_at);
  return row;
}

export function workspaceNotFound(): ApiError {
  return new ApiError(404, 'workspace_not_found', 'workspace not found');
}

/** Seed 002's 410, so that callers fail fast. */
export function workspaceRemoved(id: string, removedAt: string | null): ApiError {
  return new ApiError(410, 'workspace_removed', 'workspace removed', {
    extras: {
      id,
      removed_at: removedAt,
      deleted: true,
      hint: 'A removed workspace cannot be brought back; create a new workspace and use its token.',
    },
  });
}
