import { chmodSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, vi } from 'vitest';
import { type BinOptions, runBin } from '../test/bin.ts';
import { openFolder } from '../test/resources-of-test.ts';
import { createPlatform } from './index.ts';
import { silentLogger } from './logging/logger.ts';

// Each test starts processes.
vi.setConfig({ testTimeout: 60_000 });

const RESTORE = 'molecule-platform restore <file> --force';
const OTHER_FOLDER = 'choose another folder with dataDir (MOLECULE_DATA_DIR, --data-dir)';

/** Two sentences, the cause and what to do, and the exit code. */
async function failure(args: readonly string[], environment = {}, options: BinOptions = {}) {
  const { exited, output } = runBin(['--dev', '--port', '0', ...args], environment, options);
  const code = await exited;
  expect(output.out).toBe('');
  const lines = output.err.trimEnd().split('\n');
  expect(lines, output.err).toHaveLength(2);
  const [cause = '', hint = ''] = lines;
  return { code, cause, hint };
}

/** A data folder that a platform has used, with its database open for changes. */
async function usedFolder(change: (database: DatabaseSync, path: string) => void): Promise<string> {
  const dataDir = openFolder();
  await (await createPlatform({ mode: 'dev', port: 0, dataDir })).close();
  const path = join(dataDir, 'platform.db');
  const database = new DatabaseSync(path);
  change(database, path);
  if (database.isOpen) database.close();
  return dataDir;
}

describe('a data folder that cannot be used', () => {
  it.each([
    ['/proc/nope', 'the file system allows no folder there'],
    ['/proc/nope/further', 'the file system allows no folder there'],
    ['/dev/null/below', 'a part of the path is a file'],
    ['/dev/null', 'a part of the path is a file'],
  ])('%s ends the bin', async (path, reason) => {
    expect(await failure(['--data-dir', path])).toEqual({
      code: 1,
      cause: `The data folder ${path} cannot be used: ${reason}.`,
      hint: `${OTHER_FOLDER.replace('choose', 'Choose')}.`,
    });
  });

  it('is one of another user, and one that cannot be written', async () => {
    const folder = openFolder();
    chmodSync(folder, 0o755);
    // Root may write everywhere, so the bin runs as nobody where the tests run as root.
    const asUser = process.getuid?.() === 0 ? { uid: 65_534 } : {};
    const inside = join(folder, 'inside');
    if (asUser.uid === undefined) chmodSync(folder, 0o555);
    const refused = await failure(['--data-dir', inside], { HOME: '/' }, asUser);
    expect(refused).toMatchObject({
      code: 1,
      cause: expect.stringMatching(/inside cannot be used: permission denied\.$/),
    });
    chmodSync(folder, 0o755);
  });

  it('has a folder, or another file, in the place of one of its files', async () => {
    const [lockFolder, keyFolder, foreignLock] = [openFolder(), openFolder(), openFolder()];
    mkdirSync(join(lockFolder, 'platform.lock'));
    mkdirSync(join(keyFolder, 'operator-key'));
    writeFileSync(join(foreignLock, 'platform.lock'), 'pid 4711\n'.repeat(100));
    for (const folder of [lockFolder, keyFolder]) {
      const { code, cause } = await failure(['--data-dir', folder]);
      expect([code, cause]).toEqual([
        1,
        expect.stringContaining('a folder has the name of a file of the platform'),
      ]);
    }
    const foreign = await failure(['--data-dir', foreignLock]);
    expect(foreign).toMatchObject({
      code: 1,
      cause: expect.stringContaining('is not the lock of a platform'),
    });
    expect(readFileSync(join(foreignLock, 'platform.lock'), 'utf8')).toContain('4711');
  });

  it('leads through links without an end', async () => {
    const folder = openFolder();
    symlinkSync(join(folder, 'b'), join(folder, 'a'));
    symlinkSync(join(folder, 'a'), join(folder, 'b'));
    const { code, cause, hint } = await failure(['--data-dir', join(folder, 'a')]);
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
    const dataDir = await usedFolder((database, path) => {
      database.close();
      damage(path);
    });
    const path = join(dataDir, 'platform.db');
    const before = readFileSync(path);
    const failed = await failure(['--data-dir', dataDir]);
    expect(failed).toEqual({
      code: 1,
      cause: expect.stringContaining(cause),
      hint: expect.stringContaining(RESTORE),
    });
    expect(failed.cause).toContain(path);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('belongs to another application', async () => {
    const dataDir = openFolder();
    const path = join(dataDir, 'platform.db');
    const foreign = new DatabaseSync(path);
    foreign.exec('CREATE TABLE events (name TEXT)');
    foreign.close();
    const { code, cause, hint } = await failure(['--data-dir', dataDir]);
    expect([code, cause]).toEqual([1, `The database ${path} belongs to another application.`]);
    expect(hint).toContain(OTHER_FOLDER);
    const after = new DatabaseSync(path, { readOnly: true });
    expect(after.prepare('SELECT name FROM sqlite_master').all()).toEqual([{ name: 'events' }]);
    after.close();
  });

  it('was written by a newer version, which the refusal names', async () => {
    const dataDir = await usedFolder((database) =>
      database.exec(`INSERT INTO kysely_migration VALUES ('9999-future', '2030-01-01T00:00:00.000Z');
        INSERT INTO schema_versions VALUES ('7.8.9', '2999-01-01T00:00:00.000Z')`),
    );
    const { code, cause, hint } = await failure(['--data-dir', dataDir]);
    expect([code, cause]).toEqual([
      1,
      expect.stringMatching(
        /^The stored data was written by version 7\.8\.9 .* version \d+\.\d+\.\d+ cannot read it\.$/,
      ),
    ]);
    expect(hint).toMatch(/^Install version 7\.8\.9 or newer, restore a backup/);
  });

  it('is locked by another process', async () => {
    let locked: DatabaseSync | undefined;
    const dataDir = await usedFolder((_, path) => {
      locked = new DatabaseSync(path);
      locked.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    });
    const { code, cause } = await failure(['--data-dir', dataDir]);
    locked?.close();
    expect([code, cause]).toEqual([1, `Another process has locked ${join(dataDir, 'platform.db')}.`]);
  });
});

describe('an address that cannot be used', () => {
  it('is not of this machine, unknown, or refused to this user', async () => {
    const production = { ADMIN_TOKEN: 'an-operator-key-of-tests', SECRETS_ENCRYPTION_KEY: 'k'.repeat(32) };
    const start = async (...args: string[]) => {
      const { exited, output } = runBin(['--memory', ...args], production);
      return { code: await exited, lines: output.err.trimEnd().split('\n') };
    };
    expect(await start('--host', '192.0.2.1', '--port', '0')).toEqual({
      code: 1,
      lines: [
        expect.stringContaining('192.0.2.1:0: not an address of this machine'),
        expect.stringContaining('--host'),
      ],
    });
    expect(await start('--host', 'no-such-host.invalid', '--port', '0')).toEqual({
      code: 1,
      lines: [expect.stringContaining('unknown host'), expect.stringContaining('--host')],
    });
  });

  it('is no URL, or an option that does not exist', async () => {
    const url = runBin(['--dev', '--memory', '--public-url', 'molecule.example']);
    expect([await url.exited, url.output.err]).toEqual([2, expect.stringContaining('EXTERNAL_PLATFORM_URL')]);
    const unknown = runBin(['--dev', '--data-dri', '/tmp']);
    expect([await unknown.exited, unknown.output.err]).toEqual([
      2,
      expect.stringContaining('Did you mean --data-dir?'),
    ]);
    for (const args of [['--dev'], ['backup', 'file'], ['restore', 'file']]) {
      const empty = runBin([...args, '--data-dir', '']);
      expect([await empty.exited, empty.output.err], args[0]).toEqual([
        2,
        expect.stringContaining('--data-dir): must not be empty; leave it out'),
      ]);
    }
    for (const name of ['backup', 'restore']) {
      const two = runBin([name, 'a file', 'another']);
      expect([await two.exited, two.output.err], name).toEqual([
        2,
        expect.stringContaining('too many arguments'),
      ]);
    }
    const command = runBin(['bakcup', 'file']);
    expect([await command.exited, command.output.err]).toEqual([
      2,
      expect.stringContaining("unknown command 'bakcup'"),
    ]);
  });
});

it('a database file without content is replaced, with one warning that names it', async () => {
  const dataDir = openFolder();
  const path = join(dataDir, 'platform.db');
  for (const isEmpty of [false, true]) {
    if (isEmpty) writeFileSync(path, '');
    const warnings: string[] = [];
    const warn = (_fields: object, text: string) => void warnings.push(text);
    const logger = { ...silentLogger, warn };
    await (await createPlatform({ mode: 'dev', port: 0, dataDir, logger })).close();
    expect(warnings).toEqual(isEmpty ? [expect.stringContaining(`${path} was a file of 0 bytes`)] : []);
  }
});

function overwrite(path: string, from: number, bytes: number): void {
  const content = readFileSync(path);
  content.fill(0xa5, from, from + bytes);
  writeFileSync(path, content);
}
