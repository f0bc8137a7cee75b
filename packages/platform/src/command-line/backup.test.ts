import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { runCommand } from '../../test/command-line.ts';
import { openFolder, openPlatform } from '../../test/resources-of-test.ts';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { copyDatabase } from '../database/sqlite-copy.ts';
import { isReadFailure } from '../database/sqlite-errors.ts';
import { copyToPrivate } from '../storage/stored-files.ts';

/** The data folder of a stopped platform. */
const template = mkdtempSync(join(tmpdir(), 'molecule-backup-'));
beforeAll(async () => {
  const { platform } = await startPlatform({ data: { directory: template, synchronous: 'normal' } });
  await platform.close();
});
afterAll(() => rmSync(template, { recursive: true, force: true }));

let folder: string;
let dataDir: string;
beforeEach(() => {
  folder = openFolder();
  dataDir = join(folder, 'data');
  cpSync(template, dataDir, { recursive: true });
});

const command = (...args: string[]) => runCommand(args);
const open = (path: string) => openPlatform({ data: { directory: path, synchronous: 'normal' } });

async function names(platform: RunningPlatform): Promise<string[]> {
  const { body } = await platform.call('GET', '/workspaces');
  return body.map(({ name }: { name: string }) => name);
}

it('copies a database while it is written to, as it is at one moment, and a restore brings that back', async () => {
  const running = await open(dataDir);
  await running.create({ name: 'before' });
  const file = join(folder, 'backup.db');
  const copied = command('backup', file, '--data-dir', dataDir, '--json');
  let isCopying = true;
  const writing = (async () => {
    for (let n = 0; isCopying; n += 1) await running.create({ name: `during ${n}` });
  })();
  const { code, out, lines } = await copied;
  isCopying = false;
  await writing;
  await running.create({ name: 'after' });
  expect([code, lines]).toEqual([0, [expect.stringContaining('has no keys')]]);
  const report = JSON.parse(out);
  expect(report).toEqual({
    file,
    bytes: statSync(file).size,
    workspaces: expect.any(Number),
    messages: 0,
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).sort()).toEqual(['backup.db', 'data']);

  expect(await command('restore', file, '--data-dir', dataDir, '--force')).toMatchObject({
    code: 1,
    lines: [
      `Another platform is using the data folder ${dataDir}.`,
      expect.stringMatching(/^Stop the other/),
    ],
  });
  await running.platform.close();
  const refused = await command('restore', file, '--data-dir', dataDir);
  expect(refused).toMatchObject({
    code: 1,
    lines: [`The data folder ${dataDir} has a database.`, expect.stringContaining('--force')],
  });
  const restored = await command('restore', file, '--data-dir', dataDir, '--force', '--json');
  expect(restored).toMatchObject({ code: 0, lines: [''] });
  const { kept, ...rest } = JSON.parse(restored.out);
  expect(rest).toEqual({ dataDir, workspaces: report.workspaces, messages: 0 });
  const back = await open(dataDir);
  const found = await names(back);
  expect(found).toHaveLength(report.workspaces);
  expect(found[0]).toBe('before');
  expect(found).not.toContain('after');
  await back.platform.close();
  // The former database has everything.
  const former = new DatabaseSync(kept, { readOnly: true });
  expect(former.prepare("SELECT name FROM workspaces WHERE name = 'after'").all()).toHaveLength(1);
  former.close();
});

it('copies and restores the data of a platform that was killed, with its last commits', async () => {
  const running = await open(dataDir);
  await running.create({ name: 'last' });
  // What a killed process leaves.
  const left = join(folder, 'left');
  cpSync(dataDir, left, { recursive: true });
  expect(statSync(join(left, 'platform.db-wal')).size).toBeGreaterThan(0);
  const file = join(folder, 'backup.db');
  const copied = await command('backup', file, '--data-dir', left);
  expect(copied.out).toMatch(/^Copied .* to .*: 1 workspace, 0 messages, \d+\.\d MiB\.\n$/);
  const other = join(folder, 'other', 'data');
  const restored = await command('restore', file, '--data-dir', other);
  expect(restored.out).toMatch(/^Restored .*: 1 workspace, 0 messages\.\n$/);
  expect(statSync(other).mode & 0o777).toBe(0o700);
  expect(statSync(join(other, 'platform.db')).mode & 0o777).toBe(0o600);
  expect(await names(await open(other))).toEqual(['last']);
});

it('replaces a file only by --force, and none of the platform', async () => {
  const file = join(folder, 'backup.db');
  writeFileSync(file, 'mine');
  const backup = (...args: string[]) => command('backup', ...args, '--data-dir', dataDir);
  expect(await backup(file)).toMatchObject({
    code: 1,
    lines: [`${file} exists.`, expect.stringContaining('--force')],
  });
  expect(readFileSync(file, 'utf8')).toBe('mine');
  expect((await backup(file, '--force')).code).toBe(0);
  expect(readFileSync(file, 'latin1')).toMatch(/^SQLite format 3/);
  const own = await backup(join(dataDir, 'platform.db'), '--force');
  expect(own).toMatchObject({
    code: 1,
    lines: [expect.stringContaining('is the name of a file of the platform'), 'Give another file.'],
  });
  const link = join(folder, 'link.db');
  symlinkSync('/dev/null', link);
  for (const other of ['/dev/null', link]) {
    const refused = await backup(other, '--force');
    expect(refused.lines).toEqual([`${other} is not a regular file.`, 'Give another file.']);
    expect((await backup(other)).lines[0]).toBe(`${other} exists.`);
  }
  unlinkSync(link);
  expect((await backup(folder)).lines[0]).toBe(`${folder} is a folder.`);
  expect((await backup(join(folder, 'missing', 'b.db'))).lines[0]).toBe(
    `The folder ${join(folder, 'missing')} does not exist.`,
  );
  const empty = await command('backup', join(folder, 'b.db'), '--data-dir', folder);
  expect(empty).toMatchObject({
    code: 1,
    lines: [`There is no database in the data folder ${folder}.`, expect.any(String)],
  });
  expect(readdirSync(folder).sort()).toEqual(['backup.db', 'data']);
});

it('refuses to copy a damaged database, and to restore anything but a whole backup, before it touches anything', async () => {
  const good = join(folder, 'good.db');
  await command('backup', good, '--data-dir', dataDir);
  const before = readFileSync(join(dataDir, 'platform.db'));
  const bad = (name: string, change: (path: string) => void) => {
    const path = join(folder, name);
    writeFileSync(path, readFileSync(good));
    change(path);
    return path;
  };
  const sql = (text: string) => (path: string) => {
    const database = new DatabaseSync(path);
    database.exec(text);
    database.close();
  };
  const logged = bad('logged.db', (path) => writeFileSync(`${path}-wal`, 'commits'));
  const files: [string, RegExp][] = [
    [bad('text.db', (path) => writeFileSync(path, 'Dear diary,\n'.repeat(500))), /is not a database/],
    [bad('cut.db', (path) => truncateSync(path, 8_192)), /is damaged/],
    [
      bad('page.db', (path) => writeFileSync(path, readFileSync(path).fill(0xa5, 20_480, 32_768))),
      /is damaged/,
    ],
    [bad('empty.db', (path) => truncateSync(path, 0)), /has no data of a platform/],
    [bad('other.db', sql('DROP TABLE activity')), /other\.db belongs to another application/],
    [
      bad('newer.db', sql("INSERT INTO kysely_migration VALUES ('9999-future', '')")),
      /written by another version/,
    ],
    [
      bad(
        'escape.db',
        sql(`INSERT INTO kysely_migration VALUES ('9999-future', '');
        INSERT INTO schema_versions VALUES ('9.9' || char(27) || '[2J' || char(10) || 'run this', '2999')`),
      ),
      /^The stored data was written by another version of the platform, and version [\w.-]+ cannot read it.$/,
    ],
    [
      bad('trigger.db', sql('CREATE TRIGGER t AFTER INSERT ON activity BEGIN DELETE FROM activity; END')),
      /the trigger t is/,
    ],
    [bad('view.db', sql('CREATE VIEW v AS SELECT 1')), /the view v is/],
    [bad('table.db', sql('CREATE TABLE "t\u001b[2J" (x)')), /the table t \[2J is/],
    [bad('column.db', sql('ALTER TABLE workspaces DROP COLUMN uptime_seconds')), /the table workspaces is/],
    [bad('index.db', sql('DROP INDEX workspaces_by_parent')), /the index workspaces_by_parent is missing/],
    [
      bad('names.db', sql('ALTER TABLE kysely_migration RENAME COLUMN name TO other')),
      /belongs to another application/,
    ],
    ...["'abc'", '-5', '500000000000001', '9223372036854775807', 'NULL'].map(
      (number, index): [string, RegExp] => [
        bad(`numbers-${index}.db`, sql(`INSERT INTO sqlite_sequence VALUES ('activity', ${number})`)),
        /has row numbers that no platform gives/,
      ],
    ),
    [bad('raw.db', sql('PRAGMA journal_mode = WAL')), /is a raw copy of a database that was in use/],
    [
      bad('link.db', (path) => {
        unlinkSync(path);
        symlinkSync(logged, path);
      }),
      /logged.db has a log beside it/,
    ],
    [bad('log.db', (path) => writeFileSync(`${path}-wal`, 'commits')), /has a log beside it/],
    [join(folder, 'none.db'), /There is no file/],
    [dataDir, /data is a folder\.$/],
  ];
  for (const [file, cause] of files) {
    const target = file.endsWith('page.db') ? join(folder, 'new') : dataDir;
    const refused = await command('restore', file, '--data-dir', target, '--force');
    expect(refused, file).toMatchObject({
      code: 1,
      out: '',
      lines: [expect.stringMatching(cause), expect.any(String)],
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal interprets
    expect(refused.lines.join(''), file).not.toMatch(/[\u0000-\u001f]/);
    expect(readFileSync(join(dataDir, 'platform.db')).equals(before)).toBe(true);
    expect(existsSync(join(folder, 'new'))).toBe(false);
  }
  const damagedDir = join(folder, 'damaged');
  mkdirSync(damagedDir);
  writeFileSync(join(damagedDir, 'platform.db'), before.subarray(0, 8_192));
  const target = join(folder, 'copy.db');
  const copied = await command('backup', target, '--data-dir', damagedDir);
  expect(copied).toMatchObject({
    code: 1,
    lines: [expect.stringContaining('is damaged'), expect.any(String)],
  });
  expect(readdirSync(folder).filter((name) => name.startsWith('copy.db'))).toEqual([]);
  // A damaged database is what a restore replaces, and it is kept.
  const restored = await command('restore', good, '--data-dir', damagedDir, '--force', '--json');
  expect(restored.code).toBe(0);
  expect(statSync(JSON.parse(restored.out).kept).size).toBe(8_192);
});

it('ends within a step when it is canceled, and sees no commit of others', async () => {
  const path = join(folder, 'large.db');
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x)');
  const insert = database.prepare('INSERT INTO t VALUES (?)');
  database.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
    INSERT INTO t SELECT zeroblob(4000) FROM n`);
  let steps = 0;
  const modes: number[] = [];
  const umask = process.umask(0);
  onTestFinished(() => void process.umask(umask));
  const write = () => {
    steps += 1;
    modes.push(...[copy, `${copy}-journal`].filter(existsSync).map((file) => statSync(file).mode & 0o777));
    insert.run('later');
  };
  const copy = join(folder, 'copy.db');
  await copyDatabase(path, copy, { signal: new AbortController().signal, onProgress: write });
  expect(new Set(modes)).toEqual(new Set([0o600]));
  expect(steps).toBeGreaterThan(1);
  expect(steps).toBeLessThan(10);
  const copied = new DatabaseSync(copy, { readOnly: true });
  expect(copied.prepare('SELECT count(*) AS rows FROM t').get()).toEqual({ rows: 4_500 });
  copied.close();
  const canceling = new AbortController();
  steps = 0;
  const onProgress = () => {
    steps += 1;
    canceling.abort();
  };
  const canceled = copyDatabase(path, join(folder, 'canceled.db'), { signal: canceling.signal, onProgress });
  await expect(canceled).rejects.toMatchObject({ name: 'AbortError' });
  expect(steps).toBe(1);
  database.close();
});

it('leaves nothing behind when it is interrupted, and changes nothing', async () => {
  const backup = join(folder, 'backup.db');
  const interrupted = async (...args: string[]) => {
    const interrupting = new AbortController();
    const running = runCommand([...args, backup, '--data-dir', dataDir], { signal: interrupting.signal });
    interrupting.abort();
    const { code, out, err } = await running;
    expect([code, out]).toEqual([1, '']);
    return err;
  };
  expect(await interrupted('backup')).toBe('The backup was canceled; nothing was written.\nRun it again.\n');
  expect(readdirSync(folder)).toEqual(['data']);
  await command('backup', backup, '--data-dir', dataDir);
  const before = readFileSync(join(dataDir, 'platform.db'));
  expect(await interrupted('restore', '--force')).toBe(
    'The restore was canceled; nothing was changed.\nRun it again.\n',
  );
  expect(readdirSync(dataDir).filter((name) => /tmp|replaced/.test(name))).toEqual([]);
  expect(readFileSync(join(dataDir, 'platform.db')).subarray(100).equals(before.subarray(100))).toBe(true);
});

it('copies into a private file from its first byte on, and never into one that is there', async () => {
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  writeFileSync(from, 'x'.repeat(3_000_000), { mode: 0o666 });
  const umask = process.umask(0);
  onTestFinished(() => void process.umask(umask));
  let isCopied = false;
  const copying = copyToPrivate(from, to, new AbortController().signal).finally(() => {
    isCopied = true;
  });
  const modes = new Set<number | undefined>();
  while (!isCopied) {
    modes.add(statSync(to, { throwIfNoEntry: false })?.mode);
    await new Promise((turn) => setImmediate(turn));
  }
  await copying;
  modes.delete(undefined);
  expect([...modes].map((mode = 0) => mode & 0o777)).toEqual([0o600]);
  expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
  symlinkSync(from, join(folder, 'link'));
  for (const target of [to, join(folder, 'link')]) {
    await expect(copyToPrivate(from, target, new AbortController().signal)).rejects.toMatchObject({
      code: 'EEXIST',
    });
  }
  await expect(copyToPrivate(from, join(folder, 'late'), AbortSignal.abort())).rejects.toThrow(/aborted/);
});

it('every restore of one backup gives higher numbers than all before, also into an empty folder', async () => {
  const file = join(folder, 'backup.db');
  await command('backup', file, '--data-dir', dataDir);
  const restore = async (name: string) => {
    const target = join(folder, name);
    expect((await command('restore', file, '--data-dir', target, '--force')).code).toBe(0);
    const database = new DatabaseSync(join(target, 'platform.db'), { readOnly: true });
    const numbers = database.prepare('SELECT DISTINCT seq FROM sqlite_sequence').all();
    database.close();
    expect(numbers).toHaveLength(1);
    return Number(numbers[0]?.seq);
  };
  const given: number[] = [];
  for (const name of ['one', 'one', 'two', 'three']) given.push(await restore(name));
  expect(given).toEqual([...new Set(given)].sort((left, right) => left - right));
  // The clock is wrong: what the former database has given counts.
  const former = new DatabaseSync(join(folder, 'one', 'platform.db'));
  former.exec('UPDATE sqlite_sequence SET seq = 400000000000000');
  former.close();
  expect(await restore('one')).toBe(400_000_000_000_000);
  // A restored database is one of a platform like any other.
  expect((await command('backup', join(folder, 'next.db'), '--data-dir', join(folder, 'one'))).code).toBe(0);
});

it('leaves what a killed backup left to its owner; a platform removes drafts of its own database', async () => {
  const uuid = '0b0d0b70-0000-4000-8000-00000000000';
  const draft = join(dataDir, `copy.db.${uuid}1.tmp`);
  const own = join(dataDir, `platform.db.${uuid}3.tmp`);
  for (const path of [draft, own, `${own}-journal`]) writeFileSync(path, '');
  await (await open(dataDir)).platform.close();
  expect([draft, own, `${own}-journal`].filter(existsSync)).toEqual([draft]);
});

it('names the file that cannot be read, or the folder that cannot be written to', async () => {
  const target = join(folder, 'target');
  mkdirSync(target);
  const { signal } = new AbortController();
  const copy = (to: string) =>
    copyDatabase(join(dataDir, 'platform.db'), to, { signal, onProgress: () => {} });
  await expect(copy('/proc/copy.db')).rejects.toThrow(/^\/proc cannot be used: /);
  const source = join(folder, 'text.db');
  writeFileSync(source, 'Dear diary,\n'.repeat(500));
  const failed = copyDatabase(source, join(target, 'copy.db'), { signal, onProgress: () => {} });
  await expect(failed).rejects.toThrow(/text\.db is not a database/);
  // Codes of SQLite: the disk is full, a page cannot be written, a page cannot be read, a page is damaged.
  const codes = [13, 778, 266, 522, 11].map((errcode) =>
    isReadFailure(Object.assign(new Error(), { errcode })),
  );
  expect(codes).toEqual([false, false, true, true, true]);
});
