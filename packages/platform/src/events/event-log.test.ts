import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { PlatformDatabase } from '../database/platform-database.ts';
import { openSqliteDialect } from '../database/sqlite-dialect.ts';
import { silentLogger } from '../logging/logger.ts';
import { createInProcessBus } from './event-bus.ts';
import { EventLog, EventRetention } from './event-log.ts';

let database: PlatformDatabase;
afterEach(() => database.close());

describe('the event log', () => {
  it('deletes old traffic and keeps changes of workspaces', async () => {
    const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
    database = await PlatformDatabase.open(dialect);
    const db = database.query;
    const clock = new ManualClock();
    const bus = createInProcessBus(() => {});
    const events = new EventLog({ database, bus, clock });
    const append = (type: 'TASK_UPDATED' | 'WORKSPACE_ONLINE', count: number) =>
      database.transaction(async (unit) => {
        for (let n = 0; n < count; n += 1)
          await events.append(unit, { type, workspaceId: null, payload: {} });
      });
    await append('TASK_UPDATED', 1_500);
    await append('WORKSPACE_ONLINE', 2);
    clock.advance(8 * 24 * 60 * 60_000);
    await append('TASK_UPDATED', 3);
    await new EventRetention({ clock, database, logger: silentLogger, retentionDays: 7 }).prune();
    const kept = await db.selectFrom('events').select('event_type').execute();
    expect(kept.map((row) => row.event_type).sort()).toEqual([
      ...['TASK_UPDATED', 'TASK_UPDATED', 'TASK_UPDATED'],
      ...['WORKSPACE_ONLINE', 'WORKSPACE_ONLINE'],
    ]);
  });
});
