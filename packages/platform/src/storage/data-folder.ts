import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PlatformStartError } from '../platform-start-error.ts';

/** The folder of one platform, ours alone until it is released. */
export interface DataFolder {
  readonly databasePath: string;
  readonly operatorKeyPath: string;
  release(): void;
}

/** SQLite's result codes for "somebody else holds the lock". */
const SQLITE_BUSY = 5;

/**
 * Opens the data folder (0700) for this process alone. The lock is one that the operating system takes back when
 * the process dies in whatever way: an exclusive transaction, kept open, on a small SQLite file of its own.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (cause) {
    throw new PlatformStartError('data_folder_unusable', `The data folder ${path} cannot be used.`, {
      hint: 'Choose another folder with dataDir (MOLECULE_DATA_DIR, --data-dir).',
      cause,
    });
  }
  const release = await lockFolder(path);
  return {
    databasePath: join(path, 'platform.db'),
    operatorKeyPath: join(path, 'operator-key'),
    release,
  };
}

async function lockFolder(path: string): Promise<() => void> {
  const { DatabaseSync } = await import('node:sqlite');
  const lock = new DatabaseSync(join(path, 'platform.lock'), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    if (!isBusy(cause)) throw cause;
    throw new PlatformStartError('data_folder_in_use', `Another platform is using the data folder ${path}.`, {
      hint: 'Stop the other one, or choose another folder with dataDir (MOLECULE_DATA_DIR, --data-dir).',
      cause,
    });
  }
  return () => {
    if (lock.isOpen) lock.close();
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && Number(error.errcode) === SQLITE_BUSY;
}
