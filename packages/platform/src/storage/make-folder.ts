import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorFacts } from '../foreign-error.ts';

/**
 * Creates a folder and those above it that are missing, with mode 0700. `mkdirSync` with `recursive` never returns where
 * a file system refuses new folders with `ENOENT`, as `/proc` does.
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let folder = path; !exists(folder); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      // Another process may have made it in the meantime.
      if (errorFacts(error).code !== 'EEXIST') throw error;
    }
  }
  if (!statSync(path).isDirectory()) throw Object.assign(new Error(`${path} is a file`), { code: 'ENOTDIR' });
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
