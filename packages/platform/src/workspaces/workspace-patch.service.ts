import type { PatchWorkspaceAnswer, PatchWorkspaceRequest } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow, WorkspaceUpdate } from '../database/schema.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { ApiError } from '../http/api-error.ts';
import type { Caller } from '../http/identity.ts';
import { timestamp } from '../time/clock.ts';
import { decideAgentAddress } from './agent-address.rules.ts';
import { requireAlive } from './workspace.lookup.ts';
import { readWorkspace, updateWorkspace } from './workspace.store.ts';
import { invalidParent, makesCircle } from './workspace-parent.rules.ts';
import { forbiddenField, plainChanges } from './workspace-patch.rules.ts';

/** Changes a workspace, all fields or none (wire contract 3.4). */
export interface WorkspacePatching {
  patch(id: string, caller: Caller, body: PatchWorkspaceRequest): Promise<PatchWorkspaceAnswer>;
}

export function createWorkspacePatching(
  { database, clock, events, addressGuard }: PlatformContext,
  { hierarchy }: { hierarchy: HierarchyService },
): WorkspacePatching {
  const parentChange = async (unit: UnitOfWork, row: WorkspaceRow, parentId: string | null) => {
    if (parentId === null) return { parent_id: null };
    const parent = await readWorkspace(unit.trx, parentId);
    if (parent === undefined) throw invalidParent('there is no such workspace');
    if (parent.status === 'removed') throw invalidParent('that workspace was removed');
    if (makesCircle(row.id, parentId, await hierarchy.descendantIds(row.id, unit.trx))) {
      throw invalidParent('the tree would become a circle');
    }
    return { parent_id: parentId };
  };

  const addressChange = (row: WorkspaceRow, body: PatchWorkspaceRequest): WorkspaceUpdate => {
    if (body.url === undefined && body.delivery_mode === undefined) return {};
    const stored = { url: row.url, deliveryMode: row.delivery_mode === 'push' ? 'push' : 'poll' } as const;
    const requested = { url: body.url, deliveryMode: body.delivery_mode };
    const address = decideAgentAddress(requested, stored, addressGuard.checkUrl);
    return { url: address.url, delivery_mode: address.deliveryMode };
  };

  return {
    patch: (id, caller, body) =>
      database.transaction(async (unit) => {
        const row = requireAlive(await readWorkspace(unit.trx, id));
        const forbidden = caller.kind === 'workspace' ? forbiddenField(body) : undefined;
        if (forbidden !== undefined) {
          throw new ApiError(403, 'forbidden', `a workspace token may not change ${forbidden}`, {
            extras: { field: forbidden, hint: 'Use the operator key.' },
          });
        }
        const parent =
          body.parent_id === undefined
            ? {}
            : await parentChange(unit, row, body.parent_id?.toLowerCase() ?? null);
        const change = { ...plainChanges(body), ...addressChange(row, body), ...parent };
        const fields = Object.keys(change);
        if (fields.length > 0) {
          await updateWorkspace(unit.trx, id, { ...change, updated_at: timestamp(clock) });
          await events.append(unit, { type: 'WORKSPACE_UPDATED', workspaceId: id, payload: { fields } });
        }
        return { status: 'updated', ...(body.workspace_dir === undefined ? {} : { needs_restart: true }) };
      }),
  };
}
