import type { DeleteWorkspaceAnswer } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import { ApiError } from '../http/api-error.ts';
import type { LivenessMonitor } from '../liveness/liveness.monitor.ts';
import { timestamp } from '../time/clock.ts';
import type { TokensService } from '../tokens/tokens.service.ts';
import { workspaceNotFound } from './workspace.lookup.ts';
import { deleteWorkspaces, readWorkspace, readWorkspaces, updateWorkspace } from './workspace.store.ts';

/** What else happens in the transaction of a removal, such as failing the messages that wait. */
export type RemovalTask = (unit: UnitOfWork, workspaceIds: readonly string[]) => Promise<void>;

export interface WorkspaceRemovalDependencies {
  readonly hierarchy: HierarchyService;
  readonly tokens: TokensService;
  readonly liveness: LivenessMonitor;
  readonly onRemoval: readonly RemovalTask[];
}

/** Removes a workspace and everything below it, for good (wire contract 3.5, decision 17). */
export interface WorkspaceRemoval {
  remove(id: string, options: { confirmed: boolean; purge: boolean }): Promise<DeleteWorkspaceAnswer>;
}

export function createWorkspaceRemoval(
  { database, clock, events }: PlatformContext,
  { hierarchy, tokens, liveness, onRemoval }: WorkspaceRemovalDependencies,
): WorkspaceRemoval {
  const removeAll = async (unit: UnitOfWork, rootId: string, ids: readonly string[]) => {
    const now = timestamp(clock);
    const alive = (await readWorkspaces(unit.trx, ids)).filter((row) => row.status !== 'removed');
    const aliveIds = ids.filter((id) => alive.some((row) => row.id === id));
    const below = aliveIds.filter((id) => id !== rootId);
    await tokens.revokeAllOf(unit, ids);
    for (const id of aliveIds) {
      await updateWorkspace(unit.trx, id, { status: 'removed', removed_at: now, updated_at: now });
      const payload = id === rootId ? { cascade_deleted: below.length } : {};
      await events.append(unit, { type: 'WORKSPACE_REMOVED', workspaceId: id, payload });
    }
    if (aliveIds.length > 0) {
      for (const task of onRemoval) await task(unit, aliveIds);
    }
    unit.afterCommit(() => liveness.forget(ids));
    return below.length;
  };

  return {
    remove: (id, { confirmed, purge }) =>
      database.transaction(async (unit) => {
        if ((await readWorkspace(unit.trx, id)) === undefined) throw workspaceNotFound();
        const children = await hierarchy.children(id, unit.trx);
        if (children.length > 0 && !confirmed) throw confirmationRequired(children);
        const ids = [...(await hierarchy.descendantIds(id, unit.trx)), id];
        const cascaded = await removeAll(unit, id, ids);
        if (purge) await deleteWorkspaces(unit.trx, ids);
        return { status: purge ? 'purged' : 'removed', cascade_deleted: cascaded };
      }),
  };
}

function confirmationRequired(children: readonly { id: string; name: string }[]): ApiError {
  const message = `This workspace has ${children.length} child workspace(s); they would be removed with it.`;
  return new ApiError(409, 'confirmation_required', message, {
    extras: {
      status: 'confirmation_required',
      message,
      children: [...children],
      children_count: children.length,
      hint: 'Repeat the request with ?confirm=true.',
    },
  });
}
