import { closeSync, constants, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorFacts } from '../foreign-error.ts';

/** Copies a file into a new one. */
export async function copyToNew(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL);
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
