import type { DeleteWorkspaceResponse, PauseResponse, ResumeResponse } from '@molecule-ai/protocol';
import { lastRowOf } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceUpdate } from '../database/schema.ts';
import { requireAlive } from '../directory/workspace-directory.ts';
import type { HierarchyService, Member } from '../hierarchy/hierarchy.service.ts';
import type { Caller } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import type { LivenessMonitor } from '../liveness/liveness.monitor.ts';
import type { MessagesService } from '../messages/messages.service.ts';
import { timestamp } from '../time/clock.ts';
import type { TokensService } from '../tokens/tokens.service.ts';

/** How a new status is announced. */
const EVENTS = {
  paused: 'WORKSPACE_PAUSED',
  awaiting_agent: 'WORKSPACE_RESUMED',
  removed: 'WORKSPACE_REMOVED',
} as const;

/** Who paused, and the workspace whose pause it is. */
interface Pause {
  readonly paused_by: 'operator' | 'agent';
  readonly paused_with: string;
}

export interface LifecycleServiceOptions
  extends Pick<PlatformContext, 'clock' | 'database' | 'events' | 'workspaces'> {
  readonly hierarchy: HierarchyService;
  readonly liveness: LivenessMonitor;
  readonly messages: Pick<MessagesService, 'failMessagesOf' | 'notices'>;
  readonly tokens: TokensService;
}

/**
 * Pauses, resumes and removes workspaces, each with its descendants. Only a resume ends a pause: neither a register nor
 * a heartbeat does, and the URL is kept. After a resume the workspace is `awaiting_agent` until the next register or
 * heartbeat. A workspace that was paused itself is not resumed with its parent, and an agent cannot end a pause of an
 * operator. A removal is final.
 */
export class LifecycleService {
  readonly #options: LifecycleServiceOptions;

  constructor(options: LifecycleServiceOptions) {
    this.#options = options;
  }

  pause(id: string, caller: Caller): Promise<PauseResponse> {
    const { database, hierarchy, liveness } = this.#options;
    return database.transaction(async (unit) => {
      const members = await hierarchy.lockSubtree(unit, id);
      const row = requireAlive(members[0]);
      const paused_by = caller.kind === 'operator' ? 'operator' : 'agent';
      const pause: Pause = { paused_by, paused_with: id };
      if (row.status === 'paused') return this.#pauseItself(unit, row, members, pause);
      const awake = members.filter(({ status }) => status !== 'paused' && status !== 'removed');
      for (const member of awake) {
        const visible_seq = await lastRowOf(member.id, unit.trx);
        await this.#setStatus(unit, member, { status: 'paused', ...pause, visible_seq });
      }
      unit.afterCommit(() => liveness.forget(awake.map((member) => member.id)));
      return { status: 'paused', paused_count: awake.length };
    });
  }

  resume(id: string, caller: Caller): Promise<ResumeResponse> {
    const { database, hierarchy } = this.#options;
    return database.transaction(async (unit) => {
      const members = await hierarchy.lockSubtree(unit, id);
      const row = requireAlive(members[0]);
      if (row.status !== 'paused') {
        throw new HttpError(404, 'not_paused', 'the workspace is not paused', {
          status: row.status,
          hint: 'Nothing needs to be resumed.',
        });
      }
      const ancestors = await hierarchy.ancestors(id, unit.trx);
      const above = ancestors.find(({ status }) => status === 'paused');
      if (above !== undefined) {
        const message = `parent workspace "${above.name}" is paused — resume it first`;
        throw new HttpError(409, 'parent_paused', message, { id: above.id });
      }
      if (caller.kind === 'workspace' && row.paused_by === 'operator') throw pausedByOperator();
      const paused = members.filter((member) => isPausedWith(member, row));
      const notPaused = { paused_by: null, paused_with: null, visible_seq: null };
      const resumed = { status: 'awaiting_agent', ...notPaused } as const;
      for (const member of paused) await this.#setStatus(unit, member, resumed);
      return { status: 'awaiting_agent', resumed_count: paused.length };
    });
  }

  /**
   * Makes the pause of a paused workspace its own: one that it has with an ancestor, or that of its agent an
   * operator's. 404 when it is that already.
   */
  async #pauseItself(
    unit: UnitOfWork,
    row: Member,
    members: readonly Member[],
    pause: Pause,
  ): Promise<PauseResponse> {
    const isItsOwn = row.paused_with === null || row.paused_with === row.id;
    if (isItsOwn && (row.paused_by !== 'agent' || pause.paused_by === 'agent')) {
      throw new HttpError(404, 'already_paused', 'the workspace is already paused', {
        status: row.status,
        hint: 'POST /workspaces/:id/resume ends the pause.',
      });
    }
    const paused = members.filter((member) => isPausedWith(member, row));
    for (const member of paused) await this.#options.workspaces.change(member, pause, unit.trx);
    return { status: 'paused', paused_count: paused.length };
  }

  /**
   * Idempotent: an unknown or removed workspace is not an error. 409 when there are children and the caller has not confirmed. `purge` also
   * deletes the rows.
   */
  remove(
    id: string,
    { confirmed, purge }: { confirmed: boolean; purge: boolean },
  ): Promise<DeleteWorkspaceResponse> {
    const { clock, database, hierarchy, liveness, messages, tokens, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      const members = await hierarchy.lockSubtree(unit, id);
      const alive = members.filter(({ status }) => status !== 'removed');
      const children = alive.filter((member) => member.parent_id === id);
      if (children.length > 0 && !confirmed) throw confirmationRequired(children);
      const below = alive.filter((member) => member.id !== id).length;
      // The event of the workspace itself comes after those of its descendants.
      for (const row of alive.toReversed()) {
        const removed = { status: 'removed', removed_at: timestamp(clock) } as const;
        await this.#setStatus(unit, row, removed, row.id === id ? { cascade_deleted: below } : {});
      }
      const ids = members.map((member) => member.id);
      // Not before they are removed: the holder of a token that was revoked earlier does not learn of the removal.
      if (ids.length > 0) await tokens.revokeIn(unit, { workspaceIds: ids });
      const removedIds = alive.map((row) => row.id);
      if (removedIds.length > 0) await messages.failMessagesOf(unit, removedIds);
      if (purge && ids.length > 0) await workspaces.delete(ids, unit.trx);
      unit.afterCommit(() => liveness.forget(ids));
      return { status: purge ? 'purged' : 'removed', cascade_deleted: below };
    });
  }

  async #setStatus(
    unit: UnitOfWork,
    row: Member,
    change: WorkspaceUpdate & { readonly status: keyof typeof EVENTS },
    payload: Readonly<Record<string, unknown>> = { name: row.name },
  ): Promise<void> {
    const { clock, events, messages, workspaces } = this.#options;
    await workspaces.change(row, { ...change, updated_at: timestamp(clock) }, unit.trx);
    await events.append(unit, { type: EVENTS[change.status], workspaceId: row.id, payload });
    messages.notices.announce(unit, row, change.status);
  }
}

/** Whether the pause of `row` is that of `member`, its descendant or itself. */
function isPausedWith(member: Member, row: Member): boolean {
  return (
    member.status === 'paused' && (member.paused_with === null || member.paused_with === row.paused_with)
  );
}

function pausedByOperator(): HttpError {
  return new HttpError(403, 'forbidden', 'an operator paused this workspace', {
    hint: 'Only an operator resumes it.',
  });
}

function confirmationRequired(rows: readonly Member[]): HttpError {
  const children = rows.map(({ id, name }) => ({ id, name }));
  const message = `This workspace has ${children.length} child workspace(s); they would be removed with it.`;
  return new HttpError(409, 'confirmation_required', message, {
    status: 'confirmation_required',
    message,
    children,
    children_count: children.length,
    hint: 'Repeat the request with ?confirm=true.',
  });
}
