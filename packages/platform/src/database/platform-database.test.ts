import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORM_VERSION } from '../telemetry/telemetry.ts';
import { PlatformDatabase, type PlatformDatabaseOptions } from './platform-database.ts';
import { lockFile, openSqliteDialect } from './sqlite-dialect.ts';

const opened: PlatformDatabase[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-db-'));
  folders.push(folder);
  return folder;
}

async function open(path: string, options?: PlatformDatabaseOptions): Promise<PlatformDatabase> {
  const database = await PlatformDatabase.open(
    await openSqliteDialect({ path, synchronous: 'full' }),
    options,
  );
  opened.push(database);
  return database;
}

describe('the embedded database', () => {
  it('keeps its rows over a restart, in a file only its owner reads', async () => {
    const path = join(newFolder(), 'platform.db');
    const first = await open(path);
    await first.query.insertInto('platform_meta').values({ key: 'a', value: '1' }).execute();
    await first.close();
    opened.splice(0);
    const second = await open(path);
    expect(await second.query.selectFrom('platform_meta').selectAll().execute()).toEqual([
      { key: 'a', value: '1' },
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('refuses data of a version that it cannot read, and does not change it', async () => {
    const path = join(newFolder(), 'platform.db');
    const written = await open(path);
    await written.query
      .withTables<{ kysely_migration: { name: string } }>()
      .updateTable('kysely_migration')
      .set({ name: '0001-first' })
      .where('name', '=', '0001-initial')
      .execute();
    await written.query.insertInto('platform_meta').values({ key: 'a', value: '1' }).execute();
    await written.close();
    opened.splice(0);
    await expect(open(path)).rejects.toMatchObject({
      name: 'PlatformStartError',
      code: 'data_incompatible',
      message: `The stored data was written by a newer version of the platform, and version ${PLATFORM_VERSION} cannot read it.`,
      hint: expect.stringContaining('MOLECULE_DATA_DIR'),
    });
    const file = new DatabaseSync(path);
    expect(file.prepare('select value from platform_meta').all()).toEqual([{ value: '1' }]);
    file.close();
  });

  it('runs concurrent transactions one after another', async () => {
    const database = await open(':memory:');
    await database.query.insertInto('platform_meta').values({ key: 'n', value: '0' }).execute();
    await Promise.all(
      Array.from({ length: 20 }, () =>
        database.transaction(async ({ trx }) => {
          const row = await trx.selectFrom('platform_meta').selectAll().executeTakeFirstOrThrow();
          const value = String(Number(row.value) + 1);
          await trx.updateTable('platform_meta').set({ value }).execute();
        }),
      ),
    );
    const row = await database.query.selectFrom('platform_meta').selectAll().executeTakeFirstOrThrow();
    expect(row.value).toBe('20');
  });

  it('lets one process lock a file', async () => {
    const path = join(newFolder(), 'lock');
    const lock = await lockFile(path);
    expect(await lockFile(path)).toBeUndefined();
    lock?.release();
    const again = await lockFile(path);
    expect(again).toBeDefined();
    again?.release();
  });

  it('distinguishes an unavailable database from a defect of the platform', async () => {
    const database = await open(':memory:');
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
    change: database.prepare((db, { of, ...change }: { of: string; key?: string; value?: string }) =>
      db.updateTable('platform_meta').set(change).where('key', '=', of).returningAll(),
    ),
  });

  it('runs inside and outside a transaction, and belongs to the transaction it is given', async () => {
    const statements: string[] = [];
    const database = await open(':memory:', { onQuery: (sql) => statements.push(sql) });
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

  it('is built once for each set of values', async () => {
    const database = await open(':memory:');
    let built = 0;
    const select = database.prepare((db, { key }: { key: string }) => {
      built += 1;
      return db.selectFrom('platform_meta').selectAll().where('key', '=', key);
    });
    for (const key of ['a', 'b', 'c']) await select({ key });
    expect(built).toBe(1);
  });
});
