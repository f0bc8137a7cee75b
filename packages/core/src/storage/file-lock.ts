import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { type Clock, systemClock, type Timer } from '../time/clock.ts';
import { errnoOf, makePrivateFolder, removeAbandonedTemporaries, storageError } from './private-file.ts';
import { isProcessRunning, processStart, UNKNOWN_START } from './process-identity.ts';
import { processState } from './process-state.ts';

const RETRY_EVERY_MS = 25;
/** A lock of this age is taken over, in milliseconds. */
const STALE_AFTER_MS = 10_000;
const LOCK_FILE = { flag: 'wx', mode: 0o600 };

export interface FileLockOptions {
  /** How long to wait for the lock, in milliseconds. @default 2_000 */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  clock?: Clock | undefined;
}

/**
 * Runs `work` while this process holds the lock file `path`. Only for work that takes milliseconds: a lock older than
 * ten seconds, or of a process of this host that has ended, is taken over.
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
    await release(path, owner);
  }
}

async function acquire(path: string, options: FileLockOptions): Promise<string> {
  const { timeoutMs = 2_000, signal, clock = systemClock } = options;
  const owner = newOwner();
  const giveUpAt = clock.monotonic() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await tryCreate(path, owner)) return owner;
    if (await removeStaleLock(path)) continue;
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
    await makePrivateFolder(dirname(path));
    await writeFile(path, owner, LOCK_FILE);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return false;
    throw storageError('Cannot create the lock file', path, cause);
  }
}

/**
 * Renames a stale lock, which is atomic, so that only one of several processes removes it. If the lock was replaced in the
 * meantime, it is restored.
 */
async function removeStaleLock(path: string): Promise<boolean> {
  const owner = await readOwner(path);
  const ageMs = await ageOf(path);
  if (ageMs === Number.POSITIVE_INFINITY) return true;
  const [pid = '', host] = owner.split(' ');
  const isOfThisHost = host === hostname() && /^\d+$/.test(pid);
  const hasEnded = isOfThisHost && !(await isProcessRunning(Number(pid)));
  if (!hasEnded && ageMs < STALE_AFTER_MS) return false;
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

/** The process that holds a lock, as its file names it. */
function newOwner(): string {
  return `${process.pid} ${hostname()} ${randomUUID()}`;
}

async function readOwner(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** Deletes a lock unless another process has taken it over. Never rejects. */
async function release(path: string, owner: string): Promise<void> {
  if ((await readOwner(path)) === owner) await unlink(path).catch(() => {});
}

/** In milliseconds; endless if there is no file. */
async function ageOf(path: string): Promise<number> {
  const facts = await stat(path).catch(() => undefined);
  return facts === undefined ? Number.POSITIVE_INFINITY : Date.now() - facts.mtimeMs;
}

const REFRESH_MS = 30_000;
/** A lock of another host that was not refreshed for this long is taken over, in milliseconds. */
const FOREIGN_STALE_AFTER_MS = 120_000;

/**
 * Locks a workspace's state folder for this process, so that two agents do not write the same log. The lock of a process
 * that has ended is taken over, even if another process has its id; that of another host, on a shared folder, when it has
 * not been refreshed for two minutes. A folder that cannot be written is not locked, because nothing is stored there
 * either. What killed processes left in the folder is removed. Resolves with a function that releases the lock.
 * @throws MoleculeError `workspace_in_use` naming the other process.
 */
export async function lockWorkspace(
  directory: string,
  clock: Clock,
  logger: Logger,
): Promise<() => Promise<void>> {
  const path = join(directory, 'agent.lock');
  const start = await processStart(process.pid);
  const owner = `${newOwner()} ${start}`;
  heldLocks().add(owner);
  try {
    await withFileLock(`${path}.guard`, () => replaceLock(path, owner));
  } catch (error) {
    heldLocks().delete(owner);
    if (MoleculeError.isInstance(error) && error.code === 'workspace_in_use') throw error;
    logger.warn({ error }, 'The state folder cannot be locked; another process may use it at the same time.');
    return async () => {};
  }
  await removeAbandonedTemporaries(directory);
  let refreshing: Timer;
  // For other hosts, which cannot check whether this process is running.
  const refresh = (): void => {
    refreshing = clock.setTimer(REFRESH_MS, () => {
      const now = new Date();
      void utimes(path, now, now).catch(() => {});
      refresh();
    });
  };
  refresh();
  return async () => {
    refreshing.cancel();
    heldLocks().delete(owner);
    await release(path, owner);
  };
}

async function replaceLock(path: string, owner: string): Promise<void> {
  const other = await readOwner(path);
  if (other !== '' && (await isHeld(path, other))) {
    const [pid = '', host = ''] = other.split(' ');
    throw new MoleculeError(`Process ${pid} on ${host} already runs an agent for this workspace.`, {
      code: 'workspace_in_use',
      hint: `Stop it, or give this agent its own workspace, or, as a replica with delivery "push", a state folder of its own. If no such process runs, delete ${path}.`,
    });
  }
  await rm(path, { force: true });
  await writeFile(path, owner, LOCK_FILE);
}

/**
 * Processes of another host cannot be checked, so their lock is valid while it is refreshed. A lock with the id of this
 * process that this process did not create is stale: in a restarted container the agent gets the same process id.
 */
async function isHeld(path: string, owner: string): Promise<boolean> {
  const [pid = '', host = '', , start = UNKNOWN_START] = owner.split(' ');
  if (!/^[1-9]\d*$/.test(pid)) return false;
  if (host !== hostname()) return (await ageOf(path)) < FOREIGN_STALE_AFTER_MS;
  if (Number(pid) === process.pid) return heldLocks().has(owner);
  if (!(await isProcessRunning(Number(pid)))) return false;
  const startNow = await processStart(Number(pid));
  return start === UNKNOWN_START || startNow === UNKNOWN_START || start === startNow;
}

/** The locks that this process holds. */
function heldLocks(): Set<string> {
  return processState('held-workspaces', () => new Set<string>());
}
