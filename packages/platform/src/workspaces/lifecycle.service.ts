import type { DeleteWorkspaceResponse, PauseResponse, ResumeResponse } from '@molecule-ai/protocol';
import { lastRowBeforePause } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import type { Caller } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import type { LivenessMonitor } from '../liveness/liveness.monitor.ts';
import type { MessagesService } from '../messages/messages.service.ts';
import { timestamp } from '../time/clock.ts';
import type { TokensService } from '../tokens/tokens.service.ts';

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
    const { database, liveness, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      const row = await workspaces.require(id, unit.trx);
      const paused_by = caller.kind === 'operator' ? 'operator' : 'agent';
      const pause: Pause = { paused_by, paused_with: id };
      if (row.status === 'paused') return this.#pauseItself(unit, row, pause);
      const awake = (await this.#subtree(unit, row)).filter(
        (member) => member.status !== 'paused' && member.status !== 'removed',
      );
      for (const member of awake) {
        const visible_seq = await lastRowBeforePause(unit, member.id);
        await this.#setStatus(unit, member, { status: 'paused', ...pause, visible_seq });
      }
      unit.afterCommit(() => liveness.forget(awake.map((member) => member.id)));
      return { status: 'paused', paused_count: awake.length };
    });
  }

  resume(id: string, caller: Caller): Promise<ResumeResponse> {
    const { database, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      const row = await workspaces.require(id, unit.trx);
      if (row.status !== 'paused') {
        throw new HttpError(404, 'not_paused', 'the workspace is not paused', {
          status: row.status,
          hint: 'Nothing needs to be resumed.',
        });
      }
      const above = await this.#pausedAncestor(unit, id);
      if (above !== undefined) {
        const message = `parent workspace "${above.name}" is paused — resume it first`;
        throw new HttpError(409, 'parent_paused', message, { id: above.id });
      }
      if (caller.kind === 'workspace' && row.paused_by === 'operator') throw pausedByOperator();
      const paused = (await this.#subtree(unit, row)).filter((member) => isPausedWith(member, row));
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
  async #pauseItself(unit: UnitOfWork, row: WorkspaceRow, pause: Pause): Promise<PauseResponse> {
    const isItsOwn = row.paused_with === null || row.paused_with === row.id;
    if (isItsOwn && (row.paused_by !== 'agent' || pause.paused_by === 'agent')) {
      throw new HttpError(404, 'already_paused', 'the workspace is already paused', {
        status: row.status,
        hint: 'POST /workspaces/:id/resume ends the pause.',
      });
    }
    const members = (await this.#subtree(unit, row)).filter((member) => isPausedWith(member, row));
    for (const { id } of members) await this.#options.workspaces.update(id, pause, unit.trx);
    return { status: 'paused', paused_count: members.length };
  }

  /**
   * Idempotent: an unknown or removed workspace is not an error. 409 when there are children and the caller has not confirmed. `purge` also
   * deletes the rows.
   */
  remove(
    id: string,
    { confirmed, purge }: { confirmed: boolean; purge: boolean },
  ): Promise<DeleteWorkspaceResponse> {
    const { database, hierarchy, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      const children = await hierarchy.children(id, unit.trx);
      if (children.length > 0 && !confirmed) throw confirmationRequired(children);
      const ids = [...(await hierarchy.descendantIds(id, unit.trx)), id];
      const cascaded = await this.#removeAll(unit, id, ids);
      if (purge) await workspaces.delete(ids, unit.trx);
      return { status: purge ? 'purged' : 'removed', cascade_deleted: cascaded };
    });
  }

  /** Removes those that are not removed yet; returns how many of them are descendants of the root. */
  async #removeAll(unit: UnitOfWork, rootId: string, ids: readonly string[]): Promise<number> {
    const { clock, events, liveness, messages, tokens, workspaces } = this.#options;
    const now = timestamp(clock);
    const rows = await workspaces.findMany(ids, unit.trx);
    const alive = rows.filter((row) => row.status !== 'removed');
    const aliveIds = ids.filter((id) => alive.some((row) => row.id === id));
    const below = aliveIds.filter((id) => id !== rootId);
    await tokens.revokeAllOf(unit, ids);
    for (const workspaceId of aliveIds) {
      const change = { status: 'removed', removed_at: now, updated_at: now };
      await workspaces.update(workspaceId, change, unit.trx);
      const payload = workspaceId === rootId ? { cascade_deleted: below.length } : {};
      await events.append(unit, { type: 'WORKSPACE_REMOVED', workspaceId, payload });
    }
    if (aliveIds.length > 0) await messages.failMessagesOf(unit, aliveIds);
    for (const row of alive) messages.notices.announce(unit, row, 'removed');
    unit.afterCommit(() => liveness.forget(ids));
    return below.length;
  }

  async #subtree(unit: UnitOfWork, row: WorkspaceRow): Promise<WorkspaceRow[]> {
    const { hierarchy, workspaces } = this.#options;
    const below = await hierarchy.descendantIds(row.id, unit.trx);
    return [row, ...(await workspaces.findMany(below, unit.trx))];
  }

  async #pausedAncestor(unit: UnitOfWork, id: string): Promise<WorkspaceRow | undefined> {
    const { hierarchy, workspaces } = this.#options;
    const ids = (await hierarchy.ancestors(id, unit.trx)).map((ancestor) => ancestor.id);
    return (await workspaces.findMany(ids, unit.trx)).find((row) => row.status === 'paused');
  }

  async #setStatus(
    unit: UnitOfWork,
    row: WorkspaceRow,
    change: { readonly status: 'paused' | 'awaiting_agent' } & Pick<
      WorkspaceRow,
      'paused_by' | 'paused_with' | 'visible_seq'
    >,
  ): Promise<void> {
    const { clock, events, messages, workspaces } = this.#options;
    const { id: workspaceId, name } = row;
    await workspaces.update(workspaceId, { ...change, updated_at: timestamp(clock) }, unit.trx);
    const type = change.status === 'paused' ? 'WORKSPACE_PAUSED' : 'WORKSPACE_RESUMED';
    await events.append(unit, { type, workspaceId, payload: { name } });
    messages.notices.announce(unit, row, change.status);
  }
}

/** Whether the pause of `row` is that of `member`, its descendant or itself. */
function isPausedWith(member: WorkspaceRow, row: WorkspaceRow): boolean {
  return (
    member.status === 'paused' && (member.paused_with === null || member.paused_with === row.paused_with)
  );
}

function pausedByOperator(): HttpError {
  return new HttpError(403, 'forbidden', 'an operator paused this workspace', {
    hint: 'Only an operator resumes it.',
  });
}

function confirmationRequired(children: readonly { id: string; name: string }[]): HttpError {
  const message = `This workspace has ${children.length} child workspace(s); they would be removed with it.`;
  return new HttpError(409, 'confirmation_required', message, {
    status: 'confirmation_required',
    message,
    children: [...children],
    children_count: children.length,
    hint: 'Repeat the request with ?confirm=true.',
  });
}
