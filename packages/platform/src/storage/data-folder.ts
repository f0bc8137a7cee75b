import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lockFile } from '../database/sqlite-dialect.ts';
import { isDamage, OTHER_FOLDER, toStartError } from '../database/sqlite-errors.ts';
import { errorFacts } from '../foreign-error.ts';
import type { PlatformSettings } from '../options/resolve-settings.ts';
import { PlatformStartError } from '../platform-start-error.ts';

/** A file of the platform on its way to its name; see `writePrivateFile` and `restore`. Drafts of others are not removed. */
const DRAFT = /^(operator-key|platform\.db)\.[0-9a-f]{8}-[0-9a-f-]{27}\.tmp(-journal)?$/;

/** The folder of one platform; no other process can open it until it is released. */
export interface DataFolder {
  readonly databasePath: string;
  readonly operatorKeyPath: string;
  release(): void;
}

/** The operator's key and where it is stored. */
export interface OperatorKey {
  readonly key: string;
  /** A 0600 file with the key; null in production and in memory. */
  readonly path: string | null;
}

/**
 * Opens the data folder, a new one with mode 0700, for this process alone; fails when another platform uses it.
 *
 * @throws PlatformStartError
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    makeFolder(path);
  } catch (error) {
    throw toStartError(error, `The data folder ${path}`);
  }
  const lockPath = join(path, 'platform.lock');
  const lock = await lockFile(lockPath).catch((error: unknown) => {
    if (!isDamage(error)) throw toStartError(error, lockPath);
    throw new PlatformStartError('data_folder_unusable', `${lockPath} is not the lock of a platform.`, {
      hint: `Delete it if the folder belongs to a platform, or ${OTHER_FOLDER}.`,
    });
  });
  if (lock === undefined) {
    throw new PlatformStartError('data_folder_in_use', `Another platform is using the data folder ${path}.`, {
      hint: `Stop the other platform, or ${OTHER_FOLDER}.`,
    });
  }
  removeDrafts(path);
  return {
    databasePath: join(path, 'platform.db'),
    operatorKeyPath: join(path, 'operator-key'),
    release: lock.release,
  };
}

/** In production the given key; in dev mode the given, the stored or a new one, which is stored for the next start. */
export function resolveOperatorKey(settings: PlatformSettings, folder: DataFolder | null): OperatorKey {
  if (settings.mode === 'production' || folder === null) {
    return { key: settings.security.operatorKey ?? newOperatorKey(), path: null };
  }
  const path = folder.operatorKeyPath;
  try {
    const stored = readStoredKey(path);
    const key = settings.security.operatorKey ?? stored ?? newOperatorKey();
    if (key !== stored) writePrivateFile(path, `${key}\n`);
    return { key, path };
  } catch (error) {
    throw toStartError(error, path);
  }
}

function newOperatorKey(): string {
  return randomBytes(32).toString('base64url');
}

/** The key in the file; undefined when there is no file or it is empty. */
function readStoredKey(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch (error) {
    if (errorFacts(error).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes what a killed process had not renamed yet. The folder is locked, so that nobody is writing one. */
function removeDrafts(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (DRAFT.test(name)) rmSync(join(folder, name), { force: true });
  }
}

/** Writes a file that only its owner can read, atomically. */
function writePrivateFile(path: string, text: string): void {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    writeFileSync(draft, text, { flag: 'wx', mode: 0o600, flush: true });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/**
 * Creates a folder and those above it that are missing, with mode 0700. `mkdirSync` with `recursive` never returns where
 * a file system refuses new folders with `ENOENT`, as `/proc` does.
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let folder = path; statSync(folder, { throwIfNoEntry: false }) === undefined; folder = dirname(folder))
    missing.push(folder);
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
