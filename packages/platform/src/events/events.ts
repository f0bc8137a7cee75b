import { randomUUID } from 'node:crypto';
import type { PlatformEventName } from '@molecule-ai/protocol';
import type { SelectQueryBuilder } from 'kysely';
import type { PlatformDatabase, PreparedQuery, UnitOfWork } from '../database/platform-database.ts';
import type { Database, EventRecord } from '../database/schema.ts';
import type { PlatformLogger } from '../logging/logger.ts';
import type { PlatformSettings } from '../options/resolve-settings.ts';
import type { BackgroundTasks } from '../time/background-tasks.ts';
import { type Clock, timestamp } from '../time/clock.ts';

export interface NewEvent {
  readonly type: PlatformEventName;
  readonly workspaceId: string | null;
  /** The activity row of the event, which takes the place of a payload. */
  readonly activitySeq?: number;
  /** Of that row, `in` or `out`; it is not stored with the event. */
  readonly direction?: string;
  /** The payload of an event without an activity row. */
  readonly payload?: Readonly<Record<string, unknown>>;
}

/** Gets the workspace of an event, and the event. It reads the rows; a body is never included. */
type EventListener = (workspaceId: string, event: NewEvent) => void;

/**
 * The event log and outbox: each event is a row written in the transaction of the change it describes. After the commit it is published to
 * those in this process who subscribed to its type.
 */
export class EventLog {
  readonly #logger: PlatformLogger;
  readonly #insert: PreparedQuery<Omit<EventRecord, 'seq'>, unknown>;
  readonly #listeners = new Map<PlatformEventName, Set<EventListener>>();

  constructor({ database, logger }: { database: PlatformDatabase; logger: PlatformLogger }) {
    this.#logger = logger;
    this.#insert = database.prepare((db, row: Omit<EventRecord, 'seq'>) =>
      db.insertInto('events').values(row),
    );
  }

  /** Calls `listener` after the commit of each event of these types about a workspace; returns a function that ends it. */
  subscribe(types: readonly PlatformEventName[], listener: EventListener): () => void {
    const sets = types.map((type) => {
      const listeners = this.#listeners.get(type) ?? new Set();
      this.#listeners.set(type, listeners);
      return listeners.add(listener);
    });
    return () => {
      for (const listeners of sets) listeners.delete(listener);
    };
  }

  /** Several events of one change are one statement; a caller bounds how many. */
  async append(unit: UnitOfWork, ...events: readonly NewEvent[]): Promise<void> {
    const rows: Omit<EventRecord, 'seq'>[] = [];
    for (const { type, workspaceId, activitySeq = null, payload } of events) {
      rows.push({
        id: randomUUID(),
        event_type: type,
        workspace_id: workspaceId,
        activity_seq: activitySeq,
        payload: payload === undefined ? null : JSON.stringify(payload),
        created_at: unit.at,
      });
    }
    const [row, ...others] = rows;
    if (row === undefined) return;
    if (others.length === 0) await this.#insert(row, unit.trx);
    else await unit.trx.insertInto('events').values(rows).execute();
    unit.afterCommit(() => this.#publish(events));
  }

  #publish(events: readonly NewEvent[]): void {
    for (const event of events) {
      const { type, workspaceId } = event;
      for (const listener of this.#listeners.get(type) ?? []) {
        if (workspaceId === null) continue;
        try {
          listener(workspaceId, event);
        } catch (error) {
          this.#logger.error({ reason: String(error) }, 'A listener of events failed');
        }
      }
    }
  }
}

/** Events that agents cause, as opposed to what operators do with workspaces; only these are deleted. */
const TRAFFIC_EVENTS = [
  'TASK_UPDATED',
  'ACTIVITY_LOGGED',
  'AGENT_MESSAGE',
  'A2A_RESPONSE',
  'MESSAGE_ENDED',
  'QUESTION_ASKED',
  'QUESTION_ANSWERED',
  'AGENT_CARD_UPDATED',
  'WORKSPACE_ONLINE',
  'WORKSPACE_OFFLINE',
  'WORKSPACE_DEGRADED',
] as const;

interface EventRetentionOptions {
  readonly clock: Clock;
  readonly database: PlatformDatabase;
  readonly tasks: BackgroundTasks;
  readonly settings: {
    readonly data: Pick<PlatformSettings['data'], 'activityRetentionDays' | 'eventLimit'>;
  };
}

type TrafficEvents = SelectQueryBuilder<Database, 'events', { seq: number }>;

const PRUNE_EVERY_MS = 10 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
const BATCH = 1_000;

/** Deletes events of traffic that are older than the retention, like the activity rows, or more than the limit. */
export class EventRetention {
  readonly #options: EventRetentionOptions;

  constructor(options: EventRetentionOptions) {
    this.#options = options;
    options.tasks.every('prune events', PRUNE_EVERY_MS, () => this.prune());
  }

  /**
   * Deletes what is too old, and the oldest of what is too much, in batches, so that other transactions can run in
   * between.
   */
  async prune(): Promise<void> {
    const { clock, database, settings, tasks } = this.#options;
    const before = timestamp(clock, -settings.data.activityRetentionDays * DAY_MS);
    let pruned = BATCH;
    while (pruned === BATCH && !tasks.stopped) {
      pruned = await this.#pruneBatch((events) => events.where('created_at', '<', before));
    }
    const last = await database.query
      .selectFrom('events')
      .select('seq')
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    const lowest = Number(last?.seq ?? 0) - settings.data.eventLimit;
    pruned = lowest > 0 ? BATCH : 0;
    while (pruned === BATCH && !tasks.stopped) {
      pruned = await this.#pruneBatch((events) => events.where('seq', '<=', lowest));
    }
  }

  async #pruneBatch(choose: (events: TrafficEvents) => TrafficEvents): Promise<number> {
    const { query } = this.#options.database;
    const traffic = query.selectFrom('events').select('seq').where('event_type', 'in', TRAFFIC_EVENTS);
    const old = choose(traffic).orderBy('seq').limit(BATCH);
    const { numDeletedRows } = await query.deleteFrom('events').where('seq', 'in', old).executeTakeFirst();
    return Number(numDeletedRows);
  }
}
