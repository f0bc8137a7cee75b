import { randomUUID } from 'node:crypto';
import { chownSync, existsSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { continueNumbers, type DatabaseContents, foldLog, inspectDatabase } from '../database/sqlite-copy.ts';
import { toStartError } from '../database/sqlite-errors.ts';
import type { Environment } from '../options/option-reader.ts';
import { resolveDataDirectory } from '../options/resolve-settings.ts';
import { PlatformStartError } from '../platform-start-error.ts';
import { openDataFolder } from '../storage/data-folder.ts';
import { copyToPrivate, keepAs, publishDraft } from '../storage/stored-files.ts';
import { CommandError } from './command-error.ts';
import type { Output } from './output.ts';
import { contentsText } from './output.ts';
import type { CopyCommand } from './platform-command.ts';

/** Puts a backup into the data folder of a platform that is stopped. */
export async function restore(
  { file, force, json }: CopyCommand,
  environment: Environment,
  { out }: Output,
  signal: AbortSignal,
): Promise<void> {
  const dataDir = resolveDataDirectory(environment);
  // The log of a database is beside the file itself and not beside a link to it.
  const path = existsSync(file) ? realpathSync(file) : resolve(file);
  const contents = await inspectBackup(path);
  const folder = await openDataFolder(dataDir);
  const { databasePath } = folder;
  const draft = `${databasePath}.${randomUUID()}.tmp`;
  try {
    const isReplaced = existsSync(databasePath);
    if (isReplaced && !force) {
      throw new CommandError(`The data folder ${dataDir} has a database.`, {
        hint: 'Give an empty folder, or --force, which keeps this database under another name.',
      });
    }
    await copyToPrivate(path, draft, signal);
    // Root restores for the user whose folder it is.
    const { uid, gid } = statSync(dataDir);
    if (process.getuid?.() === 0) chownSync(draft, uid, gid);
    if (isReplaced) await foldLog(databasePath);
    await continueNumbers(draft, isReplaced ? databasePath : undefined);
    // A signal is handled now; from here on nothing is waited for.
    await new Promise((turn) => setImmediate(turn));
    signal.throwIfAborted();
    const kept = isReplaced ? keepFormer(databasePath) : null;
    publishDraft(draft, databasePath, { replaces: true });
    if (json) return out(`${JSON.stringify({ dataDir, ...contents, kept })}\n`);
    out(`Restored ${path} to ${databasePath}: ${contentsText(contents)}.\n`);
    if (kept !== null) out(`The former database is ${kept}.\n`);
  } catch (error) {
    if (!signal.aborted) throw toStartError(error, dataDir);
    throw new CommandError('The restore was canceled; nothing was changed.', { hint: 'Run it again.' });
  } finally {
    for (const suffix of ['', '-journal']) rmSync(draft + suffix, { force: true });
    folder.release();
  }
}

/** Before anything is touched. */
async function inspectBackup(path: string): Promise<DatabaseContents> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true) {
    const problem =
      found === undefined
        ? `There is no file ${path}.`
        : `${path} is ${found.isDirectory() ? 'a folder' : 'not a file'}.`;
    throw new CommandError(problem, {
      hint: 'Give a file that molecule-platform backup wrote.',
    });
  }
  try {
    return await inspectDatabase(path);
  } catch (error) {
    const reason = toStartError(error, path);
    if (!(reason instanceof PlatformStartError)) throw reason;
    const hint =
      reason.code === 'data_incompatible' && reason.hint.startsWith('Install')
        ? `Nothing was changed; ${reason.hint.slice(0, reason.hint.indexOf(',')).replace('Install', 'install')}.`
        : 'Nothing was changed; give a file that molecule-platform backup wrote.';
    throw new CommandError(reason.message, { hint });
  }
}

/** Keeps the former database; returns its new name. */
function keepFormer(databasePath: string): string {
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const kept = `${databasePath}.replaced-${time}-${randomUUID().slice(0, 4)}`;
  keepAs(databasePath, kept);
  // Only a damaged database still has a log, which must not be beside the new one.
  if (existsSync(`${databasePath}-wal`)) renameSync(`${databasePath}-wal`, `${kept}-wal`);
  rmSync(`${databasePath}-shm`, { force: true });
  return kept;
}
