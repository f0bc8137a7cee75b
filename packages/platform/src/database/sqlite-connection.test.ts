import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openFolder } from '../../test/resources-of-test.ts';
import { PlatformDatabase } from './platform-database.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';

async function open(path: string): Promise<PlatformDatabase> {
  const database = await PlatformDatabase.open(await openSqliteDialect({ path, synchronous: 'full' }));
  onTestFinished(() => database.close());
  return database;
}

/** Takes the place of the flush to the disk; returns what ends each flush, in their order. */
function holdFlushes(): ((error: Error | null) => void)[] {
  const ends: ((error: Error | null) => void)[] = [];
  const spy = vi.spyOn(fs, 'fdatasync').mockImplementation((_file, onEnd) => void ends.push(onEnd));
  syncBuiltinESMExports();
  onTestFinished(() => {
    spy.mockRestore();
    syncBuiltinESMExports();
  });
  return ends;
}

const write = (database: PlatformDatabase, key: string) =>
  database.transaction(async ({ trx }) => {
    await trx.insertInto('platform_meta').values({ key, value: '' }).execute();
    return key;
  });
const read = async (database: PlatformDatabase) =>
  (await database.query.selectFrom('platform_meta').select('key').execute()).length;
/** Until all that can run has run. */
const turns = () => new Promise<void>((resolve) => setTimeout(resolve, 20));

it('nothing of a commit is returned before it is on the disk; what comes meanwhile shares the next flush', async () => {
  const database = await open(join(await openFolder(), 'platform.db'));
  const flushes = holdFlushes();
  const ended: string[] = [];
  const note = (name: string) => () => void ended.push(name);
  const first = write(database, 'a').then(note('a'));
  await turns();
  const reading = read(database).then(note('read'));
  const others = ['b', 'c'].map((key) => write(database, key).then(note(key)));
  await turns();
  expect({ ended, flushes: flushes.length }).toEqual({ ended: [], flushes: 1 });
  flushes[0]?.(null);
  await Promise.all([first, reading]);
  await turns();
  expect({ ended, flushes: flushes.length }).toEqual({ ended: ['a', 'read'], flushes: 2 });
  flushes[1]?.(null);
  await Promise.all(others);
});

it('after a flush that failed the database cannot be used', async () => {
  const path = join(await openFolder(), 'platform.db');
  const database = await open(path);
  const flushes = holdFlushes();
  const failing = write(database, 'a').catch((error: unknown) => error);
  await turns();
  flushes[0]?.(Object.assign(new Error('i/o'), { code: 'EIO' }));
  expect(database.isUnavailable(await failing)).toBe(true);
  expect(await database.failed).toMatchObject({ cause: { code: 'EIO' } });
  const later = await write(database, 'b').catch((error: unknown) => error);
  expect(database.isUnavailable(later)).toBe(true);
  expect(database.isUnavailable(await read(database).catch((error: unknown) => error))).toBe(true);
  expect(flushes).toHaveLength(1);
});
