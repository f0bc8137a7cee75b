import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isProcessRunning } from './process-identity.ts';

const ABANDONED_AFTER_MS = 60_000;
/** `.<file>.<process id>.<random>.tmp`, as `writePrivateFile` names them. */
const TEMPORARY = /^\..+\.(\d+)\.[\w-]+\.tmp$/;

/**
 * Removes the temporary files that killed processes left in a folder: those of a process of this host that has ended, and
 * all that are older than a minute. Never throws.
 */
export async function removeAbandonedTemporaries(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid === undefined) continue;
    const path = join(folder, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) continue;
    const isOld = Date.now() - facts.mtimeMs > ABANDONED_AFTER_MS;
    if (isOld || !(await isProcessRunning(Number(pid)))) await unlink(path).catch(() => {});
  }
}
