import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toStartError } from '../database/sqlite-errors.ts';
import { errorFacts } from '../foreign-error.ts';

const CHUNK_BYTES = 1024 * 1024;

/**
 * Copies a file into a new one that has mode 0600 from its first byte on.
 *
 * @throws PlatformStartError that names the file that cannot be read, or the folder that cannot be written to
 */
export async function copyToPrivate(from: string, to: string, signal: AbortSignal): Promise<void> {
  const failing = (path: string) => (error: unknown) => {
    throw toStartError(error, path);
  };
  const source = await open(from).catch(failing(from));
  try {
    const target = await open(to, 'wx', 0o600).catch(failing(dirname(to)));
    try {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(chunk, 0, CHUNK_BYTES, null).catch(failing(from));
        if (bytesRead === 0) return;
        await target.writeFile(chunk.subarray(0, bytesRead)).catch(failing(dirname(to)));
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
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
