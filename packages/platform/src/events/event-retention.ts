import type { PlatformContext } from '../context.ts';
import { timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';

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
  const tasks = new RepeatedTasks(clock, logger);

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
    while (pruned === BATCH && !tasks.stopped) pruned = await pruneBatch(before);
  };

  return {
    start: () => tasks.every('prune events', PRUNE_EVERY_MS, prune),
    stop: () => tasks.stop(),
    prune,
  };
}
