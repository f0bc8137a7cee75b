import type { UnitOfWork } from '../../database/platform-database.ts';
import { requireAlive, type WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import type { HierarchyService } from '../../hierarchy/hierarchy.service.ts';
import { type AdmittedMessage, accessDenied, type IncomingMessage } from './acceptance.rules.ts';

interface Directories {
  readonly workspaces: WorkspaceDirectory;
  readonly hierarchy: HierarchyService;
}

/**
 * Locks and reads caller and target, so that the target is not removed or paused while a message for it is stored. An unknown
 * and a forbidden target give the same error.
 */
export async function admit(
  { workspaces, hierarchy }: Directories,
  { callerId, targetId }: Pick<IncomingMessage, 'callerId' | 'targetId'>,
  unit: UnitOfWork,
): Promise<Pick<AdmittedMessage, 'caller' | 'target'>> {
  if (callerId === null) return { caller: undefined, target: await workspaces.lock(unit, targetId) };
  await unit.lock(callerId, targetId);
  const rows = await workspaces.findMany([callerId, targetId], unit.trx);
  const caller = rows.find(({ id }) => id === callerId);
  const found = rows.find(({ id }) => id === targetId);
  if (found === undefined) throw accessDenied();
  const target = requireAlive(found);
  if (caller === undefined || !(await hierarchy.areRelated(caller, target, unit.trx))) {
    throw accessDenied();
  }
  return { caller, target };
}
