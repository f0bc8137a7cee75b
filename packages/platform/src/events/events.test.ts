import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { PlatformDatabase } from '../database/platform-database.ts';
import { openSqliteDialect } from '../database/sqlite-dialect.ts';
import { silentLogger } from '../logging/logger.ts';
import { BackgroundTasks } from '../time/background-tasks.ts';
import { EventLog, EventRetention } from './events.ts';

async function open(limit: number) {
  const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
  const clock = new ManualClock();
  const database = await PlatformDatabase.open(dialect, { clock });
  onTestFinished(() => database.close());
  const events = new EventLog({ database, logger: silentLogger });
  const append = (
    type: 'TASK_UPDATED' | 'WORKSPACE_PAUSED' | 'AGENT_CARD_UPDATED' | 'WORKSPACE_ONLINE',
    count: number,
  ) => {
    const rows = Array.from({ length: count }, () => ({ type, workspaceId: null, payload: {} }));
    return database.transaction((unit) => events.append(unit, ...rows));
  };
  const prune = () =>
    new EventRetention({
      clock,
      database,
      tasks: new BackgroundTasks(clock, silentLogger),
      settings: { data: { activityRetentionDays: 7, eventLimit: limit } },
    }).prune();
  const kept = async () => {
    const rows = await database.query
      .selectFrom('events')
      .select((eb) => ['event_type', eb.fn.countAll().as('count')])
      .groupBy('event_type')
      .execute();
    return Object.fromEntries(rows.map(({ event_type: type, count }) => [type, count]));
  };
  return { clock, append, prune, kept };
}

describe('the event log', () => {
  it('deletes old traffic and keeps changes of workspaces', async () => {
    const { append, clock, kept, prune } = await open(1_000_000);
    await append('TASK_UPDATED', 1_500);
    await append('WORKSPACE_PAUSED', 2);
    clock.advance(8 * 24 * 60 * 60_000);
    await append('TASK_UPDATED', 3);
    await prune();
    expect(await kept()).toEqual({ TASK_UPDATED: 3, WORKSPACE_PAUSED: 2 });
  });

  it('keeps no more than the limit, however young, but what operators did', async () => {
    const { append, kept, prune } = await open(1_200);
    for (const type of ['WORKSPACE_PAUSED', 'AGENT_CARD_UPDATED', 'WORKSPACE_ONLINE'] as const)
      await append(type, 1_000);
    await prune();
    expect(await kept()).toEqual({
      WORKSPACE_PAUSED: 1_000,
      AGENT_CARD_UPDATED: 200,
      WORKSPACE_ONLINE: 1_000,
    });
  });
});
