import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type OpenDatabase, openDatabase } from './open-database.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';

const opened: OpenDatabase[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function openFile(path: string): Promise<OpenDatabase> {
  const database = await openDatabase(await openSqliteDialect({ path, synchronous: 'full' }));
  opened.push(database);
  return database;
}

describe('the embedded database', () => {
  it('keeps its rows over a restart, in a file only its owner reads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'molecule-db-'));
    folders.push(folder);
    const path = join(folder, 'data', 'platform.db');
    const first = await openFile(path);
    await first.db.insertInto('platform_meta').values({ key: 'a', value: '1' }).execute();
    await first.close();
    opened.splice(0);
    const second = await openFile(path);
    expect(await second.db.selectFrom('platform_meta').selectAll().execute()).toEqual([
      { key: 'a', value: '1' },
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
  });

  it('runs concurrent transactions one after another', async () => {
    const { db } = await openFile(':memory:');
    await db.insertInto('platform_meta').values({ key: 'n', value: '0' }).execute();
    await Promise.all(
      Array.from({ length: 20 }, () =>
        db.transaction().execute(async (trx) => {
          const row = await trx.selectFrom('platform_meta').selectAll().executeTakeFirstOrThrow();
          await trx
            .updateTable('platform_meta')
            .set({ value: String(Number(row.value) + 1) })
            .execute();
        }),
      ),
    );
    expect((await db.selectFrom('platform_meta').selectAll().executeTakeFirstOrThrow()).value).toBe('20');
  });
});
