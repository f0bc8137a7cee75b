import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readPrivateFile, writePrivateFile } from '../storage/private-file.ts';

const FILE = 'instance';
const MAX_BYTES = 1_024;

/**
 * The name by which the platform recognises this agent after a restart, from the workspace's folder; made at the first
 * call. Call it under the folder's lock. Where the folder cannot be used it is new each time. Never rejects.
 */
export async function loadInstanceId(directory: string): Promise<string> {
  const path = join(directory, FILE);
  const made = randomUUID();
  const stored = await readPrivateFile(path, { maxBytes: MAX_BYTES }).catch(() => undefined);
  const name = stored?.trim() ?? '';
  if (/^[\x21-\x7e]{1,200}$/.test(name)) return name;
  // The agent runs without a folder as well, and says so when it cannot store a position.
  await writePrivateFile(path, `${made}\n`).catch(() => {});
  return made;
}

/** Forgets the name: the next start is another instance. Never rejects. */
export async function forgetInstanceId(directory: string): Promise<void> {
  await rm(join(directory, FILE), { force: true }).catch(() => {});
}
