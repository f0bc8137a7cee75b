import type { PlatformContext } from '../context.ts';
import { timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';
import { markOffline, readLiveExternalIds } from './liveness.store.ts';

/** Notices agents that have gone quiet (decision 5). */
export interface LivenessMonitor {
  /** A proof of life: a register or a heartbeat has just been stored. */
  seen(workspaceId: string): void;
  /** These workspaces are no longer watched: removed or paused. */
  forget(workspaceIds: readonly string[]): void;
  start(): void;
  /** Ends the sweeps and waits for one that is under way. */
  stop(): Promise<void>;
  /** One round: who has been silent for the whole window is offline from now on. */
  sweep(): Promise<void>;
}

/**
 * Silence is measured on the monotonic clock from the moment a sign of life was received, so a wall clock that
 * jumps turns nobody offline. What was received before this process started is unknown; those agents get one
 * whole window from the start.
 */
export function createLivenessMonitor(context: PlatformContext): LivenessMonitor {
  const { clock, database, events, logger, settings } = context;
  const lastSeen = new Map<string, number>();
  let startedAt = clock.monotonic();
  const tasks = new RepeatedTasks(clock, logger);

  const isSilent = (id: string) =>
    clock.monotonic() - (lastSeen.get(id) ?? startedAt) >= settings.livenessStaleAfterMs;

  const sweep = async () => {
    const silent = (await readLiveExternalIds(database.query)).filter(isSilent);
    for (const id of silent) {
      await database.transaction(async (unit) => {
        if (!isSilent(id) || !(await markOffline(unit.trx, id, timestamp(clock)))) return;
        await events.append(unit, { type: 'WORKSPACE_OFFLINE', workspaceId: id, payload: {} });
        unit.afterCommit(() => void lastSeen.delete(id));
        logger.info({ workspaceId: id }, 'The agent has been silent for too long and is offline.');
      });
    }
  };

  return {
    seen: (workspaceId) => void lastSeen.set(workspaceId, clock.monotonic()),
    forget: (workspaceIds) => {
      for (const id of workspaceIds) lastSeen.delete(id);
    },
    start: () => {
      startedAt = clock.monotonic();
      tasks.every('notice silent agents', settings.livenessSweepEveryMs, sweep);
    },
    stop: () => tasks.stop(),
    sweep,
  };
}
