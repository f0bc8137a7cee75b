import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';

export interface LivenessMonitorOptions
  extends Pick<PlatformContext, 'clock' | 'database' | 'events' | 'logger' | 'settings'> {
  readonly workspaces: WorkspaceDirectory;
}

/**
 * Marks workspaces as offline whose agents have sent neither a register nor a heartbeat within the window. The time is
 * measured on the monotonic clock, so a change of the wall clock has no effect. What was received before this process
 * started is unknown; for those agents the window begins at the start.
 */
export class LivenessMonitor {
  readonly #options: LivenessMonitorOptions;
  readonly #tasks: RepeatedTasks;
  readonly #lastSeen = new Map<string, number>();
  #startedAt: number;

  constructor(options: LivenessMonitorOptions) {
    this.#options = options;
    this.#tasks = new RepeatedTasks(options.clock, options.logger);
    this.#startedAt = options.clock.monotonic();
  }

  /** Records that a register or heartbeat of the workspace was stored. */
  seen(workspaceId: string): void {
    this.#lastSeen.set(workspaceId, this.#options.clock.monotonic());
  }

  /** Stops monitoring workspaces that were removed or paused. */
  forget(workspaceIds: readonly string[]): void {
    for (const id of workspaceIds) this.#lastSeen.delete(id);
  }

  /** Turns a live workspace offline, because its agent stopped or is silent; false when it was not alive. */
  async turnOffline(unit: UnitOfWork, id: string): Promise<boolean> {
    const { clock, events, workspaces } = this.#options;
    if (!(await workspaces.markOffline(id, timestamp(clock), unit.trx))) return false;
    await events.append(unit, { type: 'WORKSPACE_OFFLINE', workspaceId: id, payload: {} });
    unit.afterCommit(() => void this.#lastSeen.delete(id));
    return true;
  }

  start(): void {
    const { clock, settings } = this.#options;
    this.#startedAt = clock.monotonic();
    this.#tasks.every('find silent agents', settings.livenessSweepEveryMs, () => this.#sweep());
  }

  /** Stops the sweeps and waits for a running one. */
  stop(): Promise<void> {
    return this.#tasks.stop();
  }

  async #sweep(): Promise<void> {
    const { database, logger, workspaces } = this.#options;
    const silent = (await workspaces.listLiveIds()).filter((id) => this.#isSilent(id));
    for (const id of silent) {
      await database.transaction(async (unit) => {
        if (!this.#isSilent(id) || !(await this.turnOffline(unit, id))) return;
        logger.info({ workspaceId: id }, 'Agent is offline: no heartbeat within the window');
      });
    }
  }

  #isSilent(id: string): boolean {
    const { clock, settings } = this.#options;
    const seenAt = this.#lastSeen.get(id) ?? this.#startedAt;
    return clock.monotonic() - seenAt >= settings.livenessStaleAfterMs;
  }
}
