import { randomUUID } from 'node:crypto';
import type { PlatformEventName } from '@molecule-ai/protocol';
import type { PlatformDatabase, PreparedQuery, UnitOfWork } from '../database/platform-database.ts';
import type { EventRecord } from '../database/schema.ts';
import type { Clock } from '../time/clock.ts';
import { timestamp } from '../time/clock.ts';
import type { EventBus } from './event-bus.ts';

export interface NewEvent {
  readonly type: PlatformEventName;
  readonly workspaceId: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
}

/**
 * The event log and outbox: each event is a row written in the transaction of what it tells, and is
 * published on the bus once that transaction is durable (wire contract 3.25).
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
    const row = {
      id: randomUUID(),
      event_type: event.type,
      workspace_id: event.workspaceId,
      payload: JSON.stringify(event.payload),
      created_at: timestamp(this.#clock),
    };
    const { rows } = await this.#insert(row, unit.trx);
    const seq = Number(rows[0]?.seq);
    unit.afterCommit(() => this.#bus.publish({ seq, type: event.type, workspaceId: event.workspaceId }));
  }
}
