import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { toStartError } from '../database/sqlite-errors.ts';
import { errorFacts } from '../foreign-error.ts';

/**
 * Copies a file into a new one that has mode 0600 from its first byte on.
 *
 * @throws PlatformStartError that names the file that cannot be read, or the folder that cannot be written to
 */
export async function copyToPrivate(from: string, to: string, signal: AbortSignal): Promise<void> {
  const target = createWriteStream(to, { flags: 'wx', mode: 0o600 });
  try {
    await pipeline(createReadStream(from), target, { signal });
  } catch (error) {
    const { path, syscall } = error as NodeJS.ErrnoException;
    throw toStartError(error, path === from || syscall === 'read' ? from : dirname(to));
  }
}

/**
 * Gives a complete draft its name, so that after a crash there is the whole file or none. Without `replaces` a file that
 * has the name is kept: returns false.
 */
export function publishDraft(
  draft: string,
  path: string,
  { replaces }: { readonly replaces: boolean },
): boolean {
  flush(draft);
  if (replaces) {
    renameSync(draft, path);
  } else {
    try {
      linkSync(draft, path);
    } catch (error) {
      if (errorFacts(error).code === 'EEXIST') return false;
      // A file system without links.
      if (existsSync(path)) return false;
      renameSync(draft, path);
    }
    rmSync(draft, { force: true });
  }
  flush(dirname(path));
  return true;
}

/** Gives a file a second name, by which it stays when something else gets its first one. */
export function keepAs(path: string, kept: string): void {
  try {
    linkSync(path, kept);
  } catch {
    renameSync(path, kept);
  }
}

function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
