import type { PlatformContext } from '../context.ts';
import { timestamp } from '../time/clock.ts';

/** Events that tell of traffic, not of changes; the wire contract (3.25) asks nobody to record them. */
const TRAFFIC_EVENTS = ['TASK_UPDATED', 'ACTIVITY_LOGGED', 'AGENT_MESSAGE', 'A2A_RESPONSE'] as const;

const PRUNE_EVERY_MS = 60 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
const BATCH = 1_000;

/** Keeps the event log from growing with the traffic: its events go with the activity rows, the others stay. */
export interface EventRetention {
  start(): void;
  stop(): Promise<void>;
  /** Deletes what is older than the retention, in batches. */
  prune(): Promise<void>;
}

export function createEventRetention(context: PlatformContext): EventRetention {
  const { clock, db, logger, settings } = context;
  let cancelTimer: (() => void) | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;

  const pruneBatch = async (before: string) => {
    const old = db
      .selectFrom('events')
      .select('seq')
      .where('event_type', 'in', TRAFFIC_EVENTS)
      .where('created_at', '<', before)
      .orderBy('seq')
      .limit(BATCH);
    return Number((await db.deleteFrom('events').where('seq', 'in', old).executeTakeFirst()).numDeletedRows);
  };

  const prune = async () => {
    const before = timestamp(clock, -settings.activityRetentionDays * DAY_MS);
    let pruned = BATCH;
    while (pruned === BATCH && !stopped) pruned = await pruneBatch(before);
  };

  const scheduleNext = () => {
    if (stopped) return;
    cancelTimer = clock.schedule(PRUNE_EVERY_MS, () => {
      running = prune()
        .catch((error: unknown) => logger.error({ reason: String(error) }, 'Old events could not be pruned.'))
        .then(scheduleNext);
    });
  };

  return {
    start: scheduleNext,
    stop: async () => {
      stopped = true;
      cancelTimer?.();
      await running;
    },
    prune,
  };
}
