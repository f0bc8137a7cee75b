import type { Queryable } from '../../database/platform-database.ts';
import { requireAlive, type WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import type { HierarchyService } from '../../hierarchy/hierarchy.service.ts';
import { type AdmittedMessage, accessDenied, type IncomingMessage, placeOf } from './acceptance.rules.ts';

interface Directories {
  readonly workspaces: WorkspaceDirectory;
  readonly hierarchy: HierarchyService;
}

/** Reads caller and target in one statement. An unknown and a forbidden target give the same error. */
export async function admit(
  { workspaces, hierarchy }: Directories,
  { callerId, targetId }: Pick<IncomingMessage, 'callerId' | 'targetId'>,
  db: Queryable,
): Promise<Pick<AdmittedMessage, 'caller' | 'target'>> {
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
}
