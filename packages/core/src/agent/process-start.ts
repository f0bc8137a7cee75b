import { readFile } from 'node:fs/promises';

/** What {@link processStart} gives where the system does not tell. */
export const UNKNOWN_START = '-';

/**
 * When a process started, in the system's own words (Linux: which boot, and how many ticks after it), or `-`. With
 * the process id it tells a process from a later one that got the same id. Never rejects.
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
