import dns from 'node:dns';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { runCommand } from '../test/command-line.ts';
import { openFolder } from '../test/resources-of-test.ts';
import { toStartError } from './database/sqlite-errors.ts';
import { createPlatform } from './index.ts';
import { silentLogger } from './logging/logger.ts';
import { openDataFolder } from './storage/data-folder.ts';

const RESTORE = 'molecule-platform restore <file> --force';
const OTHER_FOLDER = 'choose another folder with dataDir (MOLECULE_DATA_DIR, --data-dir)';

/** Two sentences, the cause and what to do, and the exit code. */
async function failure(...args: string[]) {
  const { code, out, err, lines } = await runCommand(['--dev', '--port', '0', ...args]);
  expect(out).toBe('');
  expect(lines, err).toHaveLength(2);
  const [cause = '', hint = ''] = lines;
  return { code, cause, hint };
}

/** A data folder that a platform has used. */
async function usedFolder(): Promise<{ dataDir: string; path: string }> {
  const dataDir = openFolder();
  await (
    await createPlatform({
      mode: 'dev',
      server: { port: 0 },
      data: { directory: dataDir, synchronous: 'normal' },
    })
  ).close();
  return { dataDir, path: join(dataDir, 'platform.db') };
}

describe('a data folder that cannot be used', () => {
  it.each([
    ['/proc/nope', 'the file system allows no folder there'],
    ['/proc/nope/further', 'the file system allows no folder there'],
    ['/dev/null/below', 'a part of the path is a file'],
    ['/dev/null', 'a part of the path is a file'],
  ])('%s ends the command', async (path, reason) => {
    expect(await failure('--data-dir', path)).toEqual({
      code: 1,
      cause: `The data folder ${path} cannot be used: ${reason}.`,
      hint: `${OTHER_FOLDER.replace('choose', 'Choose')}.`,
    });
  });

  it('is in one that cannot be written', async () => {
    const folder = openFolder();
    chmodSync(folder, 0o555);
    onTestFinished(() => chmodSync(folder, 0o755));
    // Root may write everywhere.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    const refused = openDataFolder(join(folder, 'inside')).catch((error: unknown) => error);
    if (isRoot) process.seteuid?.(0);
    expect(await refused).toMatchObject({
      message: expect.stringMatching(/inside cannot be used: permission denied\.$/),
      hint: expect.stringContaining(OTHER_FOLDER),
    });
  });

  it('has a folder, or another file, in the place of one of its files', async () => {
    const [lockFolder, keyFolder, foreignLock] = [openFolder(), openFolder(), openFolder()];
    mkdirSync(join(lockFolder, 'platform.lock'));
    mkdirSync(join(keyFolder, 'operator-key'));
    writeFileSync(join(foreignLock, 'platform.lock'), 'pid 4711\n'.repeat(100));
    for (const folder of [lockFolder, keyFolder]) {
      const { code, cause } = await failure('--data-dir', folder);
      expect([code, cause]).toEqual([
        1,
        expect.stringContaining('a folder has the name of a file of the platform'),
      ]);
    }
    const { code, cause } = await failure('--data-dir', foreignLock);
    expect([code, cause]).toEqual([1, expect.stringContaining('is not the lock of a platform')]);
    expect(readFileSync(join(foreignLock, 'platform.lock'), 'utf8')).toContain('4711');
  });

  it('leads through links without an end', async () => {
    const folder = openFolder();
    symlinkSync(join(folder, 'b'), join(folder, 'a'));
    symlinkSync(join(folder, 'a'), join(folder, 'b'));
    const { code, cause, hint } = await failure('--data-dir', join(folder, 'a'));
    expect([code, cause]).toEqual([1, expect.stringContaining('too many symbolic links')]);
    expect(hint).toMatch(/^Choose another folder/);
  });
});

describe('a database that cannot be used', () => {
  it.each<[string, (path: string) => void, string]>([
    ['is not a database', (path) => writeFileSync(path, 'Dear diary,\n'.repeat(500)), 'is not a database'],
    ['is cut off', (path) => truncateSync(path, 8_192), 'is damaged'],
    ['has an overwritten page', (path) => overwrite(path, 20_480, 12_288), 'is damaged'],
    ['is overwritten at its beginning', (path) => overwrite(path, 0, 4_096), 'is not a database'],
    [
      'is empty beside its log',
      (path) => {
        writeFileSync(`${path}-wal`, 'commits');
        truncateSync(path, 0);
      },
      'is missing or empty, and its log',
    ],
  ])('%s', async (_, damage, cause) => {
    const { dataDir, path } = await usedFolder();
    damage(path);
    const before = readFileSync(path);
    const failed = await failure('--data-dir', dataDir);
    expect(failed).toMatchObject({ code: 1, hint: expect.stringContaining(RESTORE) });
    expect(failed.cause).toContain(path);
    expect(failed.cause).toContain(cause);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('belongs to another application', async () => {
    const dataDir = openFolder();
    const path = join(dataDir, 'platform.db');
    change(path, 'CREATE TABLE events (name TEXT)');
    chmodSync(path, 0o644);
    chmodSync(dataDir, 0o755);
    const before = readFileSync(path);
    expect(await failure('--data-dir', dataDir)).toEqual({
      code: 1,
      cause: `The database ${path} belongs to another application.`,
      hint: expect.stringContaining(OTHER_FOLDER),
    });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect([path, dataDir].map((name) => statSync(name).mode & 0o777)).toEqual([0o644, 0o755]);
    expect(readdirSync(dataDir).sort()).toEqual(['platform.db', 'platform.lock']);
  });

  it('was written by a newer version, which the refusal names', async () => {
    const { dataDir, path } = await usedFolder();
    change(
      path,
      `INSERT INTO kysely_migration VALUES ('9999-future', '2030-01-01T00:00:00.000Z');
        INSERT INTO schema_versions VALUES ('7.8.9', '2999-01-01T00:00:00.000Z')`,
    );
    const { code, cause, hint } = await failure('--data-dir', dataDir);
    expect(code).toBe(1);
    expect(cause).toMatch(
      /^The stored data was written by version 7\.8\.9 .* version \d+\.\d+\.\d+ cannot read it\.$/,
    );
    expect(hint).toMatch(/^Install version 7\.8\.9 or newer, restore a backup/);
  });

  // SQLite's codes: busy, locked, full, read-only, cannot open, an I/O error.
  it.each([
    [5, 'data_folder_in_use', 'Another process has locked /data/platform.db.'],
    [6, 'data_folder_in_use', 'Another process has locked /data/platform.db.'],
    [13, 'data_folder_unusable', '/data/platform.db cannot be used: the disk is full.'],
    [8, 'data_folder_unusable', '/data/platform.db cannot be used: SQLite cannot open it for writing.'],
    [14, 'data_folder_unusable', '/data/platform.db cannot be used: SQLite cannot open it for writing.'],
    [778, 'data_folder_unusable', '/data/platform.db cannot be used: the disk reports an error.'],
  ])('is refused by SQLite with the code %i', (errcode, code, message) => {
    const error = Object.assign(new Error('sqlite'), { code: 'ERR_SQLITE_ERROR', errcode });
    expect(toStartError(error, '/data/platform.db')).toMatchObject({
      code,
      message,
      hint: expect.stringContaining(OTHER_FOLDER),
    });
  });
});

describe('an address that cannot be used', () => {
  it('is not of this machine, unknown, or taken', async () => {
    const memory = (...args: string[]) =>
      runCommand(['--memory', ...args], {
        environment: { ADMIN_TOKEN: 'an-operator-key-of-tests', SECRETS_ENCRYPTION_KEY: 'k'.repeat(32) },
      });
    const unknown = Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
    const { lookup } = dns;
    const spy = vi.spyOn(dns, 'lookup').mockImplementation((...args: unknown[]) => {
      if (args[0] !== 'no-such-host.invalid') return Reflect.apply(lookup, dns, args);
      (args.at(-1) as (error: Error) => void)(unknown);
    });
    onTestFinished(() => spy.mockRestore());
    for (const [host, cause] of [
      ['192.0.2.1', '192.0.2.1:0: not an address of this machine'],
      ['no-such-host.invalid', 'unknown host'],
    ] as const) {
      const { code, lines } = await memory('--host', host, '--port', '0');
      expect([code, lines]).toEqual([1, [expect.stringContaining(cause), expect.stringContaining('--host')]]);
    }
    const other = createServer();
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const { code, lines } = await memory('--port', String(port));
    expect([code, lines]).toEqual([
      1,
      [
        expect.stringContaining(`Port ${port}`),
        expect.stringContaining('choose another port (PORT, --port)'),
      ],
    ]);
  });
});

describe('options that cannot be used', () => {
  it.each<[string, string[], RegExp]>([
    ['production without its keys', ['--memory'], /ADMIN_TOKEN.*SECRETS_ENCRYPTION_KEY.*--dev/s],
    ['a port that is no number', ['--dev', '--port', 'eighty'], /--port/],
    ['dev mode for others', ['--dev', '--host', '0.0.0.0'], /host \(HOST, --host\).*production mode/s],
    ['what is no URL', ['--dev', '--public-url', 'molecule.example'], /EXTERNAL_PLATFORM_URL/],
    ['a misspelled one', ['--dev', '--data-dri', '/tmp'], /Did you mean --data-dir\?/],
    ['an empty folder', ['--dev', '--data-dir', ''], /--data-dir.* must not be empty; leave it out/],
    ['an empty folder to copy', ['backup', 'a', '--data-dir', ''], /must not be empty; leave it out/],
    ['an empty folder to restore', ['restore', 'a', '--data-dir', ''], /must not be empty; leave it out/],
    ['two copies', ['backup', 'a file', 'another'], /too many arguments/],
    ['two files to restore', ['restore', 'a file', 'another'], /too many arguments/],
    ['an unknown command', ['bakcup', 'file'], /unknown command 'bakcup'/],
  ])('are %s', async (_, args, expected) => {
    expect(await runCommand(args)).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(expected),
    });
  });
});

it('a database file without content is replaced, with one warning that names it', async () => {
  const dataDir = openFolder();
  const path = join(dataDir, 'platform.db');
  writeFileSync(path, '');
  const warn = vi.fn();
  const logger = { ...silentLogger, warn };
  await (
    await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: dataDir }, logger })
  ).close();
  await (
    await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: dataDir }, logger })
  ).close();
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    expect.anything(),
    expect.stringContaining(`${path} was a file of 0 bytes`),
  );
});

it('an error that nothing expects is one line, and its stack is for debugging', async () => {
  const listen = vi.spyOn(Server.prototype, 'listen').mockImplementation(() => {
    throw new Error('out of\nluck');
  });
  onTestFinished(() => listen.mockRestore());
  const start = (...args: string[]) => runCommand(['--dev', '--memory', '--port', '0', ...args]);
  expect(await start()).toMatchObject({
    code: 1,
    err: 'Unexpected error: out of luck\nRun it again with --log-level debug to see where it happens.\n',
  });
  expect(await start('--log-level', 'debug')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/Unexpected error: Error: out of\nluck\n +at /),
  });
});

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

function overwrite(path: string, from: number, bytes: number): void {
  const content = readFileSync(path);
  content.fill(0xa5, from, from + bytes);
  writeFileSync(path, content);
}
