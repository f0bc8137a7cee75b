import { sql } from 'kysely';
import { expect, it, onTestFinished } from 'vitest';
import { EventLog } from '../events/events.ts';
import { toHttpError } from '../http/http-error.ts';
import { silentLogger } from '../logging/logger.ts';
import { PlatformDatabase } from './platform-database.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';

it('without space for more, writing is a 503 that says so, reading goes on, and it ends when there is space', async () => {
  const database = await PlatformDatabase.open(
    await openSqliteDialect({ path: ':memory:', synchronous: 'normal' }),
  );
  onTestFinished(() => database.close());
  const { query } = database;
  const events = new EventLog({ database, logger: silentLogger });
  const write = () =>
    database.transaction((unit) =>
      events.append(unit, {
        type: 'TASK_UPDATED',
        workspaceId: null,
        payload: { text: 'x'.repeat(100_000) },
      }),
    );
  await write();
  expect(database.hasNoSpace).toBe(false);
  const pages = await sql<{ page_count: number }>`pragma page_count`.execute(query);
  await sql`pragma max_page_count = ${sql.lit(pages.rows[0]?.page_count ?? 0)}`.execute(query);
  const error = await write().catch((reason: unknown) => reason);
  expect(toHttpError(error, database)).toMatchObject({
    status: 503,
    code: 'platform_unavailable',
    message: 'the disk of the platform is full',
    headers: { 'retry-after': '30' },
  });
  expect(database.hasNoSpace).toBe(true);
  expect(await query.selectFrom('events').select('seq').execute()).toHaveLength(1);
  await sql`pragma max_page_count = 1000000`.execute(query);
  await write();
  expect(database.hasNoSpace).toBe(false);
});
