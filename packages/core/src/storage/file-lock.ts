import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { MoleculeError } from '../errors/molecule-error.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import { errnoOf, makePrivateFolder, storageError } from './private-file.ts';
import { isProcessRunning } from './process-identity.ts';

const RETRY_EVERY_MS = 25;

export interface FileLockOptions {
  /** How long to wait for the lock, in milliseconds. @default 2_000 */
  timeoutMs?: number | undefined;
  /** A lock of this age is taken over, in milliseconds. @default 10_000 */
  staleAfterMs?: number | undefined;
  signal?: AbortSignal | undefined;
  clock?: Clock | undefined;
}

/**
 * Runs `work` while this process holds the lock file `path`. Only for work that takes milliseconds: a lock older than
 * `staleAfterMs`, or of a process of this host that has ended, is taken over.
 * @throws MoleculeError `lock_timeout` when the lock is not released in time.
 */
export async function withFileLock<T>(
  path: string,
  work: () => Promise<T>,
  options: FileLockOptions = {},
): Promise<T> {
  const owner = await acquire(path, options);
  try {
    return await work();
  } finally {
    if ((await readOwner(path)) === owner) await unlink(path).catch(() => {});
  }
}

async function acquire(path: string, options: FileLockOptions): Promise<string> {
  const { timeoutMs = 2_000, staleAfterMs = 10_000, signal, clock = systemClock } = options;
  const owner = `${process.pid} ${hostname()} ${randomUUID()}`;
  const giveUpAt = clock.monotonic() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await tryCreate(path, owner)) return owner;
    if (await removeStaleLock(path, staleAfterMs)) continue;
    if (clock.monotonic() >= giveUpAt) {
      throw new MoleculeError(`Another process holds the lock: ${path}`, {
        code: 'lock_timeout',
        isRetryable: true,
        hint: 'Two agents may be using one stateDirectory. If none runs, delete the lock file.',
      });
    }
    await clock.sleep(RETRY_EVERY_MS, { signal });
  }
}

async function tryCreate(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(owner);
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'EEXIST') return false;
    if (code !== 'ENOENT') throw storageError('Cannot create the lock file', path, cause);
    await makePrivateFolder(dirname(path)).catch((error: unknown) => {
      throw storageError('Cannot create the folder', dirname(path), error);
    });
    return tryCreate(path, owner);
  }
}

/**
 * Renames a stale lock, which is atomic, so that only one of several processes removes it. If the lock was replaced in the
 * meantime, it is restored.
 */
async function removeStaleLock(path: string, staleAfterMs: number): Promise<boolean> {
  const owner = await readOwner(path);
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return true;
  const ageMs = Date.now() - facts.mtimeMs;
  if (!(await hasOwnerEnded(owner)) && ageMs < staleAfterMs) return false;
  if (owner === '' && ageMs < 1_000) return false;
  const aside = `${path}.${randomUUID()}.stale`;
  try {
    await rename(path, aside);
  } catch {
    return false;
  }
  if ((await readOwner(aside)) !== owner) await link(aside, path).catch(() => {});
  await unlink(aside).catch(() => {});
  return true;
}

async function readOwner(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function hasOwnerEnded(owner: string): Promise<boolean> {
  const [pid = '', host] = owner.split(' ');
  return host === hostname() && /^\d+$/.test(pid) && !(await isProcessRunning(Number(pid)));
}
