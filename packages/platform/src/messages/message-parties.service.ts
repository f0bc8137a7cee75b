import type { Kysely } from 'kysely';
import type { Database, WorkspaceRow } from '../database/schema.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { ApiError } from '../http/api-error.ts';
import { requireAlive, type WorkspaceLookup } from '../workspaces/workspace.lookup.ts';

/** Both ends of a message as they are in its transaction. */
export interface MessageParties {
  /** Undefined for people and operators. */
  readonly caller: WorkspaceRow | undefined;
  readonly target: WorkspaceRow;
}

/**
 * Reads who writes to whom, in one statement, if that caller may write to that target; an agent learns nothing of
 * workspaces it cannot reach.
 */
export type FindParties = (
  callerId: string | null,
  targetId: string,
  db: Kysely<Database>,
) => Promise<MessageParties>;

export function createFindParties(parts: {
  readonly workspaces: WorkspaceLookup;
  readonly hierarchy: HierarchyService;
}): FindParties {
  const { workspaces, hierarchy } = parts;
  return async (callerId, targetId, db) => {
    if (callerId === null) return { caller: undefined, target: await workspaces.require(targetId, db) };
    const rows = await workspaces.findMany([callerId, targetId], db);
    const caller = rows.find(({ id }) => id === callerId);
    const found = rows.find(({ id }) => id === targetId);
    if (found === undefined) throw accessDenied();
    const target = requireAlive(found);
    if (caller === undefined || !(await hierarchy.areRelated(placeOf(caller), placeOf(target), db))) {
      throw accessDenied();
    }
    return { caller, target };
  };
}

function placeOf({ id, parent_id: parentId }: WorkspaceRow) {
  return { id, parentId };
}

function accessDenied(): ApiError {
  return new ApiError(
    403,
    'access_denied',
    'access denied: workspaces cannot communicate per hierarchy rules',
  );
}
