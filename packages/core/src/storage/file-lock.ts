import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { MoleculeError } from '../errors/molecule-error.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import { errnoOf, storageError } from './private-file.ts';
import { isProcessAlive } from './process-identity.ts';

const RETRY_EVERY_MS = 25;

/** Options of {@link withFileLock}. */
export interface FileLockOptions {
  /** How long to wait for another holder, in milliseconds. @default 2_000 */
  timeoutMs?: number | undefined;
  /** A lock of another host is taken over at this age, in milliseconds; of this host, when its process is gone. @default 10_000 */
  staleAfterMs?: number | undefined;
  signal?: AbortSignal | undefined;
  clock?: Clock | undefined;
}

/**
 * Runs `work` while this process holds the lock file `path`. For work that takes milliseconds: a lock older than
 * `staleAfterMs`, or of a process on this host that has ended, is taken over.
 * @throws MoleculeError `lock_timeout` when another holder does not release it in time.
 */
export async function withFileLock<T>(
  path: string,
  work: () => Promise<T>,
  options: FileLockOptions = {},
): Promise<T> {
  const mark = await acquire(path, options);
  try {
    return await work();
  } finally {
    if ((await readMark(path)) === mark) await unlink(path).catch(() => {});
  }
}

async function acquire(path: string, options: FileLockOptions): Promise<string> {
  const { timeoutMs = 2_000, staleAfterMs = 10_000, signal, clock = systemClock } = options;
  const mark = `${process.pid} ${hostname()} ${randomUUID()}`;
  const giveUpAt = clock.monotonic() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await tryCreate(path, mark)) return mark;
    if (await takeStaleAway(path, staleAfterMs)) continue;
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

async function tryCreate(path: string, mark: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(mark);
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'EEXIST') return false;
    if (code !== 'ENOENT') throw storageError('Cannot create the lock file', path, cause);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw storageError('Cannot create the folder', dirname(path), error);
    });
    return tryCreate(path, mark);
  }
}

/**
 * Moves a stale lock aside. The move is atomic, so of several that try one wins; should it have caught a lock
 * that was renewed meanwhile, it puts it back.
 */
async function takeStaleAway(path: string, staleAfterMs: number): Promise<boolean> {
  const mark = await readMark(path);
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return true;
  const ageMs = Date.now() - facts.mtimeMs;
  if (!isHolderGone(mark) && ageMs < staleAfterMs) return false;
  if (mark === '' && ageMs < 1_000) return false;
  const aside = `${path}.${randomUUID()}.stale`;
  try {
    await rename(path, aside);
  } catch {
    return false;
  }
  if ((await readMark(aside)) !== mark) await link(aside, path).catch(() => {});
  await unlink(aside).catch(() => {});
  return true;
}

async function readMark(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function isHolderGone(mark: string): boolean {
  const [pid = '', host] = mark.split(' ');
  return host === hostname() && /^\d+$/.test(pid) && !isProcessAlive(Number(pid));
}
