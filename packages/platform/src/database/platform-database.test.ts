import { runInNewContext } from 'node:vm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PlatformDatabase, type PlatformDatabaseOptions } from './platform-database.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';

async function open(options?: PlatformDatabaseOptions): Promise<PlatformDatabase> {
  const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'full' });
  const database = await PlatformDatabase.open(dialect, options);
  onTestFinished(() => database.close());
  return database;
}

const write = (database: PlatformDatabase, key: string, fail = false, log?: string[]) =>
  database.transaction(async (unit) => {
    unit.afterCommit(() => log?.push(`committed ${key}`));
    unit.onRollback(() => log?.push(`undone ${key}`));
    await unit.trx.insertInto('platform_meta').values({ key, value: '' }).execute();
    if (fail) throw new Error(`no ${key}`);
    return key;
  });

const keys = async (database: PlatformDatabase) =>
  (await database.query.selectFrom('platform_meta').select('key').orderBy('key').execute()).map(
    (row) => row.key,
  );

it('commit groups undo a unit that fails alone, and give each caller its own result', async () => {
  const database = await open();
  const log: string[] = [];
  const ends = await Promise.allSettled([
    write(database, 'a', false, log),
    write(database, 'b', true, log),
    write(database, 'a', false, log),
    write(database, 'c', false, log),
  ]);
  expect(ends.map((end) => end.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(await keys(database)).toEqual(['a', 'c']);
  expect(log.sort()).toEqual(['committed a', 'committed c', 'undone a', 'undone b']);
});

describe('the embedded database', () => {
  it('distinguishes an unavailable database from a defect of the platform', async () => {
    const database = await open();
    const sqliteError = (errcode: number) =>
      Object.assign(new Error('sqlite'), { code: 'ERR_SQLITE_ERROR', errcode });
    for (const errcode of [5, 13, 1, 261]) expect(database.isUnavailable(sqliteError(errcode))).toBe(true);
    for (const errcode of [19, 2067]) expect(database.isUnavailable(sqliteError(errcode))).toBe(false);
    for (const error of [new Error('other'), 'text', null]) expect(database.isUnavailable(error)).toBe(false);
    // As in Jest, whose tests have a realm of their own.
    const foreign = (properties: string) =>
      runInNewContext(`Object.assign(new Error('sqlite'), ${properties})`);
    expect(foreign('{}')).not.toBeInstanceOf(Error);
    expect(database.isUnavailable(foreign("{ code: 'ERR_SQLITE_ERROR', errcode: 261 }"))).toBe(true);
    expect(database.isUnavailable(foreign("{ code: 'ERR_SQLITE_ERROR', errcode: 2067 }"))).toBe(false);
    expect(database.isDiskFull(foreign("{ code: 'ERR_SQLITE_ERROR', errcode: 13 }"))).toBe(true);
    expect(database.isDiskFull(sqliteError(778))).toBe(true);
    expect(database.isDiskFull(sqliteError(266))).toBe(false);
    await database.close();
    const closed = await database.query
      .selectFrom('events')
      .selectAll()
      .execute()
      .catch((error: unknown) => error);
    expect(database.isUnavailable(closed)).toBe(true);
  });
});

describe('a prepared query', () => {
  const prepare = (database: PlatformDatabase) => ({
    insert: database.prepare((db, row: { key: string; value: string }) =>
      db.insertInto('platform_meta').values(row),
    ),
    change: database.prepareVariants((db, { of, ...change }: { of: string; key?: string; value?: string }) =>
      db.updateTable('platform_meta').set(change).where('key', '=', of).returningAll(),
    ),
  });

  it('runs inside and outside a transaction, and belongs to the transaction it is given', async () => {
    const statements: string[] = [];
    const database = await open({ onQuery: (sql) => statements.push(sql) });
    const { insert, change } = prepare(database);
    await insert({ key: 'a', value: '1' });
    statements.length = 0;
    const failed = database.transaction(async ({ trx }) => {
      expect((await change({ of: 'a', value: '2' }, trx)).rows).toEqual([{ key: 'a', value: '2' }]);
      throw new Error('undo');
    });
    await expect(failed).rejects.toThrow('undo');
    expect(statements).toEqual(['begin', expect.stringMatching(/^update/), 'rollback']);
    expect((await change({ of: 'a', key: 'b' })).rows).toEqual([{ key: 'b', value: '1' }]);
  });
});
