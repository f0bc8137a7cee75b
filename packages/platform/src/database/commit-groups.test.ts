import { afterEach, describe, expect, it } from 'vitest';
import { type OpenDatabase, openDatabase } from './open-database.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';
import { inTransaction } from './unit-of-work.ts';

const opened: OpenDatabase[] = [];
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

async function open(): Promise<OpenDatabase & { statements: string[] }> {
  const statements: string[] = [];
  const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'full' });
  const database = await openDatabase(dialect, { onQuery: (sql) => statements.push(sql) });
  opened.push(database);
  statements.length = 0;
  return { ...database, statements };
}

const write = (database: OpenDatabase, key: string, fail = false, log?: string[]) =>
  inTransaction(database.db, async (unit) => {
    unit.afterCommit(() => log?.push(`committed ${key}`));
    unit.onRollback(() => log?.push(`undone ${key}`));
    await unit.trx.insertInto('platform_meta').values({ key, value: '' }).execute();
    if (fail) throw new Error(`no ${key}`);
    return key;
  });

const keys = async (database: OpenDatabase) =>
  (await database.db.selectFrom('platform_meta').select('key').orderBy('key').execute()).map(
    (row) => row.key,
  );

describe('commit groups', () => {
  it('undo a unit that fails alone, and tell each caller his own end', async () => {
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

  it('answer with an error when there is no database to commit to', async () => {
    const database = await open();
    const log: string[] = [];
    const broken = inTransaction(database.db, async (unit) => {
      unit.onRollback(() => log.push('undone'));
      await unit.trx
        .insertInto('workspace_tokens')
        .values({
          id: 't',
          workspace_id: 'nobody',
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
