import { afterEach, describe, expect, it } from 'vitest';
import { PlatformDatabase } from './platform-database.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';

const opened: PlatformDatabase[] = [];
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

async function open(): Promise<PlatformDatabase> {
  const database = await PlatformDatabase.open(
    await openSqliteDialect({ path: ':memory:', synchronous: 'full' }),
  );
  opened.push(database);
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

describe('commit groups', () => {
  it('undo a unit that fails alone, and give each caller its own result', async () => {
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

  it('take up the units that arrive while a group commits, all of them, in order', async () => {
    const database = await open();
    const seen: string[] = [];
    const first = write(database, '000').then((key) => {
      seen.push(key);
      return write(database, '999').then((late) => seen.push(late));
    });
    const rest = Array.from({ length: 200 }, (_, index) =>
      write(database, String(index + 1).padStart(3, '0')).then((key) => seen.push(key)),
    );
    await Promise.all([first, ...rest]);
    expect(await keys(database)).toHaveLength(202);
    expect(seen.filter((key) => key !== '999')).toEqual(
      Array.from({ length: 201 }, (_, index) => String(index).padStart(3, '0')),
    );
  });

  it('reject when the database is closed', async () => {
    const database = await open();
    const log: string[] = [];
    const broken = database.transaction(async (unit) => {
      unit.onRollback(() => log.push('undone'));
      await unit.trx
        .insertInto('workspace_tokens')
        .values({
          id: 't',
          workspace_id: 'unknown',
          token_hash: 'h',
          prefix: 'p',
          origin: 'mint',
          created_at: '',
        })
        .execute();
    });
    const other = write(database, 'x', false, log);
    await expect(broken).rejects.toThrow(/FOREIGN KEY/);
    await expect(other).resolves.toBe('x');
    await database.close();
    opened.length = 0;
    await expect(write(database, 'y', false, log)).rejects.toThrow();
    // The last unit never ran, so it had nothing to undo.
    expect(log).toEqual(['undone', 'committed x']);
  });
});
