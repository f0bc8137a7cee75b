import { fork } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from './file-lock.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

let folder: string;
let directory: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'molecule-storage-'));
  directory = join(folder, 'state', 'inner');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('withFileLock', () => {
  it('takes over the lock of a process that has ended', async () => {
    const path = join(directory, 'x.lock');
    const child = fork('-e', [], { execArgv: ['-e', ''], stdio: 'ignore' });
    await new Promise((resolve) => child.on('exit', resolve));
    await mkdir(directory, { recursive: true });
    await writeFile(path, `${child.pid} ${hostname()} dead`);
    expect(await withFileLock(path, async () => 'mine', { timeoutMs: 20_000 })).toBe('mine');
    expect(await readdir(directory)).toEqual([]);
  });

  it('takes over an old lock of another host, not a recent one', async () => {
    const path = join(directory, 'x.lock');
    await mkdir(directory, { recursive: true });
    await writeFile(path, `1 another-host.example uuid`);
    await expect(withFileLock(path, async () => 1, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'lock_timeout',
    });
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(path, longAgo, longAgo);
    expect(await withFileLock(path, async () => 1, { timeoutMs: 20_000 })).toBe(1);
  });

  it('releases when the work fails, and stops waiting on abort', async () => {
    const path = join(directory, 'x.lock');
    await expect(withFileLock(path, () => Promise.reject(new Error('work')))).rejects.toThrow('work');
    await withFileLock(path, async () => {
      const abort = new AbortController();
      const waiting = withFileLock(path, async () => 1, { signal: abort.signal, timeoutMs: 60_000 });
      abort.abort('stop');
      await expect(waiting).rejects.toBe('stop');
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it('has one owner at a time', async () => {
    const path = join(directory, 'x.lock');
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, () =>
        withFileLock(path, async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
        }),
      ),
    );
    expect(most).toBe(1);
  });
});

describe('private files', () => {
  it('are an error where no folder can be made, and at a link that leads nowhere', async () => {
    await mkdir(directory, { recursive: true });
    const link = join(directory, 'link');
    await symlink(join(directory, 'nowhere'), link);
    // /proc answers ENOENT to each new folder.
    for (const folder of ['/proc/nope', '/proc/nope/further', link]) {
      const writing = writePrivateFile(join(folder, 'file'), 'text');
      await expect(writing, folder).rejects.toMatchObject({ code: 'storage_failed' });
      const locking = withFileLock(join(folder, 'lock'), async () => {});
      await expect(locking, folder).rejects.toMatchObject({ code: 'storage_failed' });
    }
  });

  it('are written atomically and read with a size limit', async () => {
    const path = join(directory, 'cursor.json');
    expect(await readPrivateFile(path)).toBeUndefined();
    await writePrivateFile(path, '{"cursor":"ä"}');
    expect(await readPrivateFile(path)).toBe('{"cursor":"ä"}');
    await expect(readPrivateFile(path, { maxBytes: 3 })).rejects.toThrow(/too large/);
  });

  it('that cannot be used cause storage_failed, not credential_storage_failed', async () => {
    const path = join(directory, 'cursor.json');
    await mkdir(path, { recursive: true });
    for (const failing of [readPrivateFile(path), writePrivateFile(path, '{}')]) {
      await expect(failing).rejects.toMatchObject({
        code: 'storage_failed',
        message: expect.stringContaining(path),
      });
    }
  });
});
