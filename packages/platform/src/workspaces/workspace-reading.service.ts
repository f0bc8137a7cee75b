import type { WorkspaceDetail, WorkspaceListRow, WorkspaceState } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { ApiError } from '../http/api-error.ts';
import type { Caller } from '../http/identity.ts';
import { requireAlive, workspaceNotFound } from './workspace.lookup.ts';
import { listWorkspaces, readWorkspace } from './workspace.store.ts';
import { toDetail, toListRow } from './workspace-view.rules.ts';

/** Reading workspaces (wire contract 3.2, 3.3 and 3.7). */
export interface WorkspaceReading {
  list(): Promise<WorkspaceListRow[]>;
  /** For an operator, the workspace itself and those who may talk to it; 410 once removed. */
  get(id: string, caller: Caller, options: { includeRemoved: boolean }): Promise<WorkspaceDetail>;
  state(id: string): Promise<WorkspaceState>;
}

export function createWorkspaceReading(
  { db }: PlatformContext,
  { hierarchy }: { hierarchy: HierarchyService },
): WorkspaceReading {
  return {
    list: async () => (await listWorkspaces(db)).map(toListRow),
    get: async (id, caller, { includeRemoved }) => {
      if (caller.kind === 'workspace' && !(await hierarchy.canCommunicate(caller.workspaceId, id))) {
        throw new ApiError(403, 'access_denied', 'not authorized to read this workspace');
      }
      const row = await readWorkspace(db, id);
      if (row === undefined) throw workspaceNotFound();
      return toDetail(includeRemoved ? row : requireAlive(row));
    },
    state: async (id) => {
      const row = await readWorkspace(db, id);
      if (row === undefined) {
        throw new ApiError(404, 'workspace_not_found', 'workspace not found', {
          extras: { workspace_id: id, deleted: true },
        });
      }
      if (row.status === 'removed') throw removedState(id, row.removed_at);
      return { workspace_id: id, status: row.status, paused: row.status === 'paused', deleted: false };
    },
  };
}

/** What `/state` says of a removed workspace, to its own old token as well (wire contract 8, row 13). */
export function removedState(id: string, removedAt: string | null): ApiError {
  return new ApiError(404, 'workspace_removed', 'workspace removed', {
    extras: { workspace_id: id, status: 'removed', deleted: true, removed_at: removedAt },
  });
}
