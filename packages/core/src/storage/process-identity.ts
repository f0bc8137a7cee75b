import { readFile } from 'node:fs/promises';
import { errnoOf } from './private-file.ts';

/** What {@link processStart} returns where the system does not say. */
export const UNKNOWN_START = '-';

/**
 * When a process started, in the system's own words (Linux: which boot, and how many ticks after it), or `-`. With
 * the process id it distinguishes a process from a later one that got the same id. Never rejects.
 */
export async function processStart(pid: number): Promise<string> {
  try {
    const [boot, facts] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // The program's name stands in brackets and may hold anything; the start is field 22.
    const ticks = facts.slice(facts.lastIndexOf(')') + 2).split(' ')[19];
    return ticks === undefined ? UNKNOWN_START : `${boot.trim()}:${ticks}`;
  } catch {
    return UNKNOWN_START;
  }
}

/** Whether a process of this host is running, also one of another user. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}
