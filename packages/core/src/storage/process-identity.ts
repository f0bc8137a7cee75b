import { readFile } from 'node:fs/promises';
import { errnoOf } from './private-file.ts';

/** Returned by {@link processStart} if the system does not provide the start time. */
export const UNKNOWN_START = '-';

/**
 * Identifies the start of a process (Linux: boot id and ticks since the boot), or `-`. Together with the process id it
 * distinguishes a process from a later one with the same id. Never rejects.
 */
export async function processStart(pid: number): Promise<string> {
  try {
    const [boot, facts] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // The program name is in parentheses and may contain any character; the start time is field 22.
    const ticks = facts.slice(facts.lastIndexOf(')') + 2).split(' ')[19];
    return ticks === undefined ? UNKNOWN_START : `${boot.trim()}:${ticks}`;
  } catch {
    return UNKNOWN_START;
  }
}

/** Whether a process of this host is running, including those of other users. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}
