import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile } from '../database/sqlite-dialect.ts';
import { PlatformStartError } from '../platform-start-error.ts';

/** The folder of one platform, ours alone until it is released. */
export interface DataFolder {
  readonly databasePath: string;
  readonly operatorKeyPath: string;
  release(): void;
}

/** Opens the data folder (0700) for this process alone; a folder in use by another platform is refused. */
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
  const lock = await lockFile(join(path, 'platform.lock'));
  if (lock === undefined) {
    throw new PlatformStartError('data_folder_in_use', `Another platform is using the data folder ${path}.`, {
      hint: 'Stop the other one, or choose another folder with dataDir (MOLECULE_DATA_DIR, --data-dir).',
    });
  }
  return {
    databasePath: join(path, 'platform.db'),
    operatorKeyPath: join(path, 'operator-key'),
    release: lock.release,
  };
}
