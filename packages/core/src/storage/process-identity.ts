import { readFile } from 'node:fs/promises';

/** Returned by {@link processStart} if the system does not provide the start time. */
export const UNKNOWN_START = '-';

/**
 * Identifies the start of a process (Linux: boot id and ticks since the boot), or `-`. Together with the process id it
 * distinguishes a process from a later one with the same id. Never rejects.
 */
export async function processStart(pid: number): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const ticks = (await statFieldsOf(pid))[19];
  return boot === '' || ticks === undefined ? UNKNOWN_START : `${boot.trim()}:${ticks}`;
}

/**
 * Whether a process of this host is running, also one of another user. One that has ended and that its parent has not
 * reaped (usual in a container without an init process) still has its id, but is not running. Never rejects.
 */
export async function isProcessRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const [state] = await statFieldsOf(pid);
  return state !== 'Z' && state !== 'X';
}

/** The fields of a process from its state (field 3) on; empty where the system does not say. */
async function statFieldsOf(pid: number): Promise<string[]> {
  const facts = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The program's name stands in brackets and may hold anything.
  return facts === '' ? [] : facts.slice(facts.lastIndexOf(')') + 2).split(' ');
}
