import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { withFileLock } from '../credentials/file-lock.ts';
import { errnoOf } from '../credentials/storage-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';

/** Marks of this process, shared by all copies of this package in it. */
const HELD_KEY = Symbol.for('@molecule-ai/held-workspaces');

/**
 * Takes a workspace's folder for this process, so that two agents do not handle the same messages from one
 * journal. The mark of a process that is gone is taken over. A folder that cannot be written is no reason not to
 * run: then there is no lock, and no journal either. Resolves with what releases it.
 * @throws MoleculeError `workspace_in_use` naming the other process.
 */
export async function lockWorkspace(directory: string, logger: Logger): Promise<() => Promise<void>> {
  const path = join(directory, 'agent.lock');
  const mark = `${process.pid} ${hostname()} ${randomUUID()}`;
  heldMarks().add(mark);
  try {
    await withFileLock(`${path}.guard`, () => take(path, directory, mark));
  } catch (error) {
    heldMarks().delete(mark);
    if (MoleculeError.isInstance(error) && error.code === 'workspace_in_use') throw error;
    logger.warn({ error }, 'The workspace folder cannot be locked; another process could use it too.');
    return async () => {};
  }
  return async () => {
    heldMarks().delete(mark);
    if ((await readMark(path)) === mark) await unlink(path).catch(() => {});
  };
}

async function take(path: string, directory: string, mark: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const other = await readMark(path);
  const [pid = '', host = ''] = other.split(' ');
  if (other !== '' && isAlive(other, pid, host)) {
    throw new MoleculeError(`Process ${pid} on ${host} already runs an agent for this workspace.`, {
      code: 'workspace_in_use',
      hint: `Stop it, or give this agent its own workspace. If no such process runs, delete ${path}.`,
    });
  }
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(mark);
  } finally {
    await file.close();
  }
}

/**
 * A process of another host cannot be asked; its mark counts until somebody deletes it. A mark with our own id that
 * we did not make is left over: in a container that restarts, the agent gets the same process id each time.
 */
function isAlive(mark: string, pid: string, host: string): boolean {
  if (!/^[1-9]\d*$/.test(pid)) return false;
  if (host !== hostname()) return true;
  if (Number(pid) === process.pid) return heldMarks().has(mark);
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

function heldMarks(): Set<string> {
  const known: unknown = Reflect.get(globalThis, HELD_KEY);
  if (known instanceof Set) return known;
  const marks = new Set<string>();
  Reflect.set(globalThis, HELD_KEY, marks);
  return marks;
}

async function readMark(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
