import type { PauseAnswer, ResumeAnswer } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { ApiError } from '../http/api-error.ts';
import type { LivenessMonitor } from '../liveness/liveness.monitor.ts';
import { timestamp } from '../time/clock.ts';
import { requireAlive } from './workspace.lookup.ts';
import { readWorkspace, readWorkspaces, updateWorkspace } from './workspace.store.ts';

/**
 * Pausing is sticky: neither a register nor a heartbeat ends it, and the URL is kept. Resuming waits for the next
 * sign of life (decision 17, wire contract 8, row 40). Both take the whole family below along.
 */
export interface WorkspacePausing {
  pause(id: string): Promise<PauseAnswer>;
  resume(id: string): Promise<ResumeAnswer>;
}

export function createWorkspacePausing(
  { database, clock, events }: PlatformContext,
  { hierarchy, liveness }: { hierarchy: HierarchyService; liveness: LivenessMonitor },
): WorkspacePausing {
  const familyOf = async (unit: UnitOfWork, row: WorkspaceRow) => [
    row,
    ...(await readWorkspaces(unit.trx, await hierarchy.descendantIds(row.id, unit.trx))),
  ];

  const setStatus = async (unit: UnitOfWork, row: WorkspaceRow, status: 'paused' | 'awaiting_agent') => {
    const { id: workspaceId, name } = row;
    await updateWorkspace(unit.trx, workspaceId, { status, updated_at: timestamp(clock) });
    const type = status === 'paused' ? 'WORKSPACE_PAUSED' : 'WORKSPACE_RESUMED';
    await events.append(unit, { type, workspaceId, payload: { name } });
  };

  const pausedAncestor = async (unit: UnitOfWork, id: string) => {
    const ids = (await hierarchy.ancestors(id, unit.trx)).map((ancestor) => ancestor.id);
    return (await readWorkspaces(unit.trx, ids)).find((row) => row.status === 'paused');
  };

  return {
    pause: (id) =>
      database.transaction(async (unit) => {
        const row = requireAlive(await readWorkspace(unit.trx, id));
        if (row.status === 'paused') {
          throw new ApiError(404, 'already_paused', 'workspace not found or already paused');
        }
        const awake = (await familyOf(unit, row)).filter(
          (member) => member.status !== 'paused' && member.status !== 'removed',
        );
        for (const member of awake) await setStatus(unit, member, 'paused');
        unit.afterCommit(() => liveness.forget(awake.map((member) => member.id)));
        return { status: 'paused', paused_count: awake.length };
      }),

    resume: (id) =>
      database.transaction(async (unit) => {
        const row = requireAlive(await readWorkspace(unit.trx, id));
        if (row.status !== 'paused') {
          throw new ApiError(404, 'not_paused', 'workspace not found or not paused');
        }
        const above = await pausedAncestor(unit, id);
        if (above !== undefined) {
          const message = `parent workspace "${above.name}" is paused — resume it first`;
          throw new ApiError(409, 'parent_paused', message, { extras: { id: above.id } });
        }
        const paused = (await familyOf(unit, row)).filter((member) => member.status === 'paused');
        for (const member of paused) await setStatus(unit, member, 'awaiting_agent');
        return { status: 'awaiting_agent', resumed_count: paused.length };
      }),
  };
}
