import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { withFileLock } from './file-lock.ts';
import { errnoOf } from './private-file.ts';
import { isProcessAlive, processStart, UNKNOWN_START } from './process-identity.ts';

/** Marks of this process, shared by all copies of this package in it. */
const HELD_KEY = Symbol.for('@molecule-ai/held-workspaces');
const REFRESH_MS = 30_000;
/** A mark of another host that was not refreshed for so long is taken over, in milliseconds. */
const FOREIGN_SILENCE_MS = 120_000;

/**
 * Takes a workspace's folder for this process, so that two agents do not handle the same messages from one
 * journal. The mark of a process that is gone is taken over, also when another process got its id; that of another
 * host, over a shared folder, when its owner has not refreshed it for two minutes. A folder that cannot be written
 * is no reason not to run: then there is no lock, and no journal either. Resolves with what releases it.
 * @throws MoleculeError `workspace_in_use` naming the other process.
 */
export async function lockWorkspace(
  directory: string,
  clock: Clock,
  logger: Logger,
): Promise<() => Promise<void>> {
  const path = join(directory, 'agent.lock');
  const start = await processStart(process.pid);
  const mark = `${process.pid} ${hostname()} ${randomUUID()} ${start}`;
  heldMarks().add(mark);
  try {
    await withFileLock(`${path}.guard`, () => take(path, directory, mark));
  } catch (error) {
    heldMarks().delete(mark);
    if (MoleculeError.isInstance(error) && error.code === 'workspace_in_use') throw error;
    logger.warn({ error }, 'The workspace folder cannot be locked; another process could use it too.');
    return async () => {};
  }
  const stopRefreshing = refresh(path, clock);
  return async () => {
    stopRefreshing();
    heldMarks().delete(mark);
    if ((await readMark(path)) === mark) await unlink(path).catch(() => {});
  };
}

async function take(path: string, directory: string, mark: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const other = await readMark(path);
  if (other !== '' && (await isHeld(path, other))) {
    const [pid = '', host = ''] = other.split(' ');
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

/** Keeps the file young for other hosts, which cannot ask whether this process lives. */
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
 * A process of another host cannot be asked; its mark counts while it is refreshed. A mark with our own id that we
 * did not make is left over: in a container that restarts, the agent gets the same process id each time.
 */
async function isHeld(path: string, mark: string): Promise<boolean> {
  const [pid = '', host = '', , start = UNKNOWN_START] = mark.split(' ');
  if (!/^[1-9]\d*$/.test(pid)) return false;
  if (host !== hostname()) return (await ageMs(path)) < FOREIGN_SILENCE_MS;
  if (Number(pid) === process.pid) return heldMarks().has(mark);
  if (!isProcessAlive(Number(pid))) return false;
  const startNow = await processStart(Number(pid));
  return start === UNKNOWN_START || startNow === UNKNOWN_START || start === startNow;
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

async function ageMs(path: string): Promise<number> {
  const facts = await stat(path).catch(() => undefined);
  return facts === undefined ? Number.POSITIVE_INFINITY : Date.now() - facts.mtimeMs;
}
