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
    const append = (type: 'TASK_UPDATED' | 'WORKSPACE_PAUSED', count: number) =>
      database.transaction(async (unit) => {
        for (let n = 0; n < count; n += 1)
          await events.append(unit, { type, workspaceId: null, payload: {} });
      });
    await append('TASK_UPDATED', 1_500);
    await append('WORKSPACE_PAUSED', 2);
    clock.advance(8 * 24 * 60 * 60_000);
    await append('TASK_UPDATED', 3);
    await new EventRetention({
      clock,
      database,
      logger: silentLogger,
      retentionDays: 7,
      limit: 1_000_000,
    }).prune();
    const kept = await db.selectFrom('events').select('event_type').execute();
    expect(kept.map((row) => row.event_type).sort()).toEqual([
      ...['TASK_UPDATED', 'TASK_UPDATED', 'TASK_UPDATED'],
      ...['WORKSPACE_PAUSED', 'WORKSPACE_PAUSED'],
    ]);
  });

  it('keeps no more than the limit, however young', async () => {
    const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
    database = await PlatformDatabase.open(dialect);
    const clock = new ManualClock();
    const events = new EventLog({ database, bus: createInProcessBus(() => {}), clock });
    for (const type of ['WORKSPACE_PAUSED', 'AGENT_CARD_UPDATED', 'WORKSPACE_ONLINE'] as const) {
      const flood = Array.from({ length: 1_000 }, () => ({ type, workspaceId: null, payload: {} }));
      await database.transaction((unit) => events.appendMany(unit, flood));
    }
    await new EventRetention({
      clock,
      database,
      logger: silentLogger,
      retentionDays: 7,
      limit: 1_200,
    }).prune();
    const kept = await database.query
      .selectFrom('events')
      .select((eb) => ['event_type', eb.fn.countAll().as('count')])
      .groupBy('event_type')
      .execute();
    // What operators did is kept.
    expect(Object.fromEntries(kept.map(({ event_type: type, count }) => [type, count]))).toEqual({
      WORKSPACE_PAUSED: 1_000,
      AGENT_CARD_UPDATED: 200,
      WORKSPACE_ONLINE: 1_000,
    });
  });
});
