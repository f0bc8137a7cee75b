import { randomUUID } from 'node:crypto';
import { open, readFile, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { removeAbandonedTemporaries } from './abandoned-files.ts';
import { withFileLock } from './file-lock.ts';
import { errnoOf, makePrivateFolder } from './private-file.ts';
import { isProcessRunning, processStart, UNKNOWN_START } from './process-identity.ts';
import { processState } from './process-state.ts';

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
  const owner = `${process.pid} ${hostname()} ${randomUUID()} ${start}`;
  heldLocks().add(owner);
  try {
    await withFileLock(`${path}.guard`, () => acquire(path, directory, owner));
  } catch (error) {
    heldLocks().delete(owner);
    if (MoleculeError.isInstance(error) && error.code === 'workspace_in_use') throw error;
    logger.warn({ error }, 'The state folder cannot be locked; another process may use it at the same time.');
    return async () => {};
  }
  await removeAbandonedTemporaries(directory);
  const stopRefreshing = refresh(path, clock);
  return async () => {
    stopRefreshing();
    heldLocks().delete(owner);
    if ((await readOwner(path)) === owner) await unlink(path).catch(() => {});
  };
}

async function acquire(path: string, directory: string, owner: string): Promise<void> {
  await makePrivateFolder(directory);
  const other = await readOwner(path);
  if (other !== '' && (await isHeld(path, other))) {
    const [pid = '', host = ''] = other.split(' ');
    throw new MoleculeError(`Process ${pid} on ${host} already runs an agent for this workspace.`, {
      code: 'workspace_in_use',
      hint: `Stop it, or give this agent its own workspace, or, as a replica with delivery "push", a state folder of its own. If no such process runs, delete ${path}.`,
    });
  }
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(owner);
  } finally {
    await file.close();
  }
}

/** Updates the modification time for other hosts, which cannot check whether this process is running. */
function refresh(path: string, clock: Clock): () => void {
  let timer: Timer;
  const again = (): void => {
    timer = clock.setTimer(REFRESH_MS, () => {
      const now = new Date();
      void utimes(path, now, now).catch(() => {});
      again();
    });
  };
  again();
  return () => timer.cancel();
}

/**
 * Processes of another host cannot be checked, so their lock is valid while it is refreshed. A lock with the id of this
 * process that this process did not create is stale: in a restarted container the agent gets the same process id.
 */
async function isHeld(path: string, owner: string): Promise<boolean> {
  const [pid = '', host = '', , start = UNKNOWN_START] = owner.split(' ');
  if (!/^[1-9]\d*$/.test(pid)) return false;
  if (host !== hostname()) return (await ageMs(path)) < FOREIGN_STALE_AFTER_MS;
  if (Number(pid) === process.pid) return heldLocks().has(owner);
  if (!(await isProcessRunning(Number(pid)))) return false;
  const startNow = await processStart(Number(pid));
  return start === UNKNOWN_START || startNow === UNKNOWN_START || start === startNow;
}

/** The locks that this process holds. */
function heldLocks(): Set<string> {
  return processState('held-workspaces', () => new Set<string>());
}

async function readOwner(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function ageMs(path: string): Promise<number> {
  const facts = await stat(path).catch(() => undefined);
  return facts === undefined ? Number.POSITIVE_INFINITY : Date.now() - facts.mtimeMs;
}
