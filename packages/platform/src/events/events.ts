import { randomUUID } from 'node:crypto';
import type { PlatformEventName } from '@molecule-ai/protocol';
import type { SelectQueryBuilder } from 'kysely';
import type { PlatformDatabase, PreparedQuery, UnitOfWork } from '../database/platform-database.ts';
import type { Database, EventRecord } from '../database/schema.ts';
import type { PlatformLogger } from '../logging/logger.ts';
import { type Clock, timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';

/** A notification of a stored event. A subscriber reads the rows; a body is never included. */
interface BusNotice {
  readonly seq: number;
  readonly type: PlatformEventName;
  readonly workspaceId: string | null;
}

/**
 * Notifies subscribers after the commit. `subscribe` returns an unsubscribe function. With several processes on
 * Postgres, LISTEN/NOTIFY can implement the same interface.
 */
export interface EventBus {
  publish(notice: BusNotice): void;
  subscribe(listener: (notice: BusNotice) => void): () => void;
}

export function createInProcessBus(onListenerError: (error: unknown) => void): EventBus {
  const listeners = new Set<(notice: BusNotice) => void>();
  return {
    publish: (notice) => {
      for (const listener of [...listeners]) {
        try {
          listener(notice);
        } catch (error) {
          onListenerError(error);
        }
      }
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

export interface NewEvent {
  readonly type: PlatformEventName;
  readonly workspaceId: string | null;
  /** The activity row of the event, which takes the place of a payload. */
  readonly activitySeq?: number;
  /** The payload of an event without an activity row. */
  readonly payload?: Readonly<Record<string, unknown>>;
}

/**
 * The event log and outbox: each event is a row written in the transaction of the change it describes, and is
 * published on the bus after the commit.
 */
export class EventLog {
  readonly #bus: EventBus;
  readonly #clock: Clock;
  readonly #insert: PreparedQuery<Omit<EventRecord, 'seq'>, { seq: number }>;

  constructor({ database, bus, clock }: { database: PlatformDatabase; bus: EventBus; clock: Clock }) {
    this.#bus = bus;
    this.#clock = clock;
    this.#insert = database.prepare((db, row: Omit<EventRecord, 'seq'>) =>
      db.insertInto('events').values(row).returning('seq'),
    );
  }

  async append(unit: UnitOfWork, event: NewEvent): Promise<void> {
    const { rows } = await this.#insert(this.#toRow(event), unit.trx);
    this.#publish(unit, [event], rows);
  }

  /** Appends events of one kind of change in one statement; a caller bounds how many. */
  async appendMany(unit: UnitOfWork, events: readonly NewEvent[]): Promise<void> {
    if (events.length === 0) return;
    const values = events.map((event) => this.#toRow(event));
    const rows = await unit.trx.insertInto('events').values(values).returning('seq').execute();
    this.#publish(unit, events, rows);
  }

  #toRow(event: NewEvent): Omit<EventRecord, 'seq'> {
    return {
      id: randomUUID(),
      event_type: event.type,
      workspace_id: event.workspaceId,
      activity_seq: event.activitySeq ?? null,
      payload: event.payload === undefined ? null : JSON.stringify(event.payload),
      created_at: timestamp(this.#clock),
    };
  }

  #publish(unit: UnitOfWork, events: readonly NewEvent[], rows: readonly { readonly seq: number }[]): void {
    unit.afterCommit(() => {
      for (const [index, { type, workspaceId }] of events.entries()) {
        this.#bus.publish({ seq: Number(rows[index]?.seq), type, workspaceId });
      }
    });
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

type TrafficEvents = SelectQueryBuilder<Database, 'events', { seq: number }>;

const PRUNE_EVERY_MS = 10 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
const BATCH = 1_000;

/** Deletes events of traffic that are older than the retention, like the activity rows, or more than the limit. */
export class EventRetention {
  readonly #clock: Clock;
  readonly #database: PlatformDatabase;
  readonly #retentionDays: number;
  readonly #limit: number;
  readonly #tasks: RepeatedTasks;

  constructor(options: {
    readonly clock: Clock;
    readonly database: PlatformDatabase;
    readonly logger: PlatformLogger;
    readonly retentionDays: number;
    /** Most events that are kept. */
    readonly limit: number;
  }) {
    this.#clock = options.clock;
    this.#database = options.database;
    this.#retentionDays = options.retentionDays;
    this.#limit = options.limit;
    this.#tasks = new RepeatedTasks(options.clock, options.logger);
  }

  start(): void {
    this.#tasks.every('prune events', PRUNE_EVERY_MS, () => this.prune());
  }

  stop(): Promise<void> {
    return this.#tasks.stop();
  }

  /**
   * Deletes what is too old, and the oldest of what is too much, in batches, so that other transactions can run in
   * between.
   */
  async prune(): Promise<void> {
    const before = timestamp(this.#clock, -this.#retentionDays * DAY_MS);
    let pruned = BATCH;
    while (pruned === BATCH && !this.#tasks.stopped) {
      pruned = await this.#pruneBatch((events) => events.where('created_at', '<', before));
    }
    const last = await this.#database.query
      .selectFrom('events')
      .select('seq')
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    const lowest = Number(last?.seq ?? 0) - this.#limit;
    pruned = lowest > 0 ? BATCH : 0;
    while (pruned === BATCH && !this.#tasks.stopped) {
      pruned = await this.#pruneBatch((events) => events.where('seq', '<=', lowest));
    }
  }

  async #pruneBatch(choose: (events: TrafficEvents) => TrafficEvents): Promise<number> {
    const { query } = this.#database;
    const traffic = query.selectFrom('events').select('seq').where('event_type', 'in', TRAFFIC_EVENTS);
    const old = choose(traffic).orderBy('seq').limit(BATCH);
    const { numDeletedRows } = await query.deleteFrom('events').where('seq', 'in', old).executeTakeFirst();
    return Number(numDeletedRows);
  }
}
