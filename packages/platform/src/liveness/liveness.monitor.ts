import type { PlatformContext } from '../context.ts';
import type { LiveWorkspace } from '../directory/workspace-directory.ts';
import { timestamp } from '../time/clock.ts';

export type LivenessMonitorOptions = Pick<
  PlatformContext,
  'clock' | 'database' | 'events' | 'logger' | 'settings' | 'tasks' | 'workspaces'
>;

/** The database is read so often, although all agents that this process knows of send heartbeats. */
const READ_EVERY_MS = 10 * 60_000;
const MIN_SWEEP_MS = 100;
const MAX_SWEEP_MS = 15_000;
const SWEEPS_PER_WINDOW = 6;

/**
 * Marks workspaces as offline whose agents have sent neither a register nor a heartbeat within the window. The time is
 * measured on the monotonic clock, so a change of the wall clock has no effect. What was received before this process
 * started is unknown; for those agents the window begins at the start. While no window has ended, a sweep reads nothing.
 */
export class LivenessMonitor {
  readonly #options: LivenessMonitorOptions;
  /** The one that was silent longest first. */
  readonly #lastSeen = new Map<string, number>();
  readonly #startedAt: number;
  /** When the database shall be read next, on the monotonic clock. */
  #readAgainAt: number;

  constructor(options: LivenessMonitorOptions) {
    this.#options = options;
    const { clock, settings, tasks } = options;
    this.#startedAt = clock.monotonic();
    this.#readAgainAt = this.#startedAt + settings.limits.livenessStaleAfterMs;
    const sweepMs = Math.min(MAX_SWEEP_MS, settings.limits.livenessStaleAfterMs / SWEEPS_PER_WINDOW);
    tasks.every('find silent agents', Math.max(MIN_SWEEP_MS, sweepMs), () => this.#sweep());
  }

  /** Records that a register or heartbeat of the workspace was stored. */
  seen(workspaceId: string): void {
    this.#lastSeen.delete(workspaceId);
    this.#lastSeen.set(workspaceId, this.#options.clock.monotonic());
  }

  /** Stops monitoring workspaces that were removed or paused. */
  forget(workspaceIds: readonly string[]): void {
    for (const id of workspaceIds) this.#lastSeen.delete(id);
  }

  /** Turns a workspace offline, because its agent stopped or is silent; false when it was not alive, or was heard of since it was read. */
  turnOffline(workspace: LiveWorkspace): Promise<boolean> {
    const { clock, database, events, workspaces } = this.#options;
    const { id: workspaceId } = workspace;
    return database.transaction(async (unit) => {
      if (!(await workspaces.markOffline(workspace, timestamp(clock), unit.trx))) return false;
      await events.append(unit, { type: 'WORKSPACE_OFFLINE', workspaceId, payload: {} });
      unit.afterCommit(() => void this.#lastSeen.delete(workspaceId));
      return true;
    });
  }

  async #sweep(): Promise<void> {
    const { clock, logger, workspaces } = this.#options;
    const [longest] = this.#lastSeen.values();
    const isSomeoneSilent = longest !== undefined && this.#isOver(longest);
    if (!isSomeoneSilent && clock.monotonic() < this.#readAgainAt) return;
    const live = await workspaces.listLive();
    for (const workspace of live) {
      const { id: workspaceId } = workspace;
      if (!this.#isSilent(workspaceId) || !(await this.turnOffline(workspace))) continue;
      logger.info({ workspaceId }, 'Agent is offline: no heartbeat within the window');
    }
    const liveIds = new Set(live.map(({ id }) => id));
    // Nothing is expected of the others that are silent.
    for (const id of this.#lastSeen.keys()) {
      if (!this.#isSilent(id)) break;
      if (!liveIds.has(id)) this.#lastSeen.delete(id);
    }
    this.#readAgainAt = clock.monotonic() + READ_EVERY_MS;
  }

  #isSilent(id: string): boolean {
    return this.#isOver(this.#lastSeen.get(id) ?? this.#startedAt);
  }

  #isOver(seenAt: number): boolean {
    const { clock, settings } = this.#options;
    return clock.monotonic() - seenAt >= settings.limits.livenessStaleAfterMs;
  }
}
