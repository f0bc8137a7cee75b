import { randomUUID } from 'node:crypto';
import { lstatSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { copyDatabase, inspectDatabase } from '../database/sqlite-copy.ts';
import { toStartError } from '../database/sqlite-errors.ts';
import type { Environment } from '../options/option-reader.ts';
import { resolveDataDirectory } from '../options/resolve-settings.ts';
import { publishDraft } from '../storage/stored-files.ts';
import { CommandError } from './command-error.ts';
import type { Output } from './output.ts';
import { contentsText, sizeText } from './output.ts';
import type { CopyCommand } from './platform-command.ts';

const PROGRESS_EVERY_MS = 1_000;

/** Copies the database of a platform, which may be running, into one file. */
export async function backUp(
  { file, force, json }: CopyCommand,
  environment: Environment,
  { out, err }: Output,
  signal: AbortSignal,
): Promise<void> {
  const dataDir = resolveDataDirectory(environment);
  const path = resolve(file);
  const database = join(dataDir, 'platform.db');
  refuseTarget(path, dataDir, force);
  if (sizeOf(database) === undefined) {
    throw new CommandError(`There is no database in the data folder ${dataDir}.`, {
      hint: 'Give the folder of the platform by --data-dir or MOLECULE_DATA_DIR.',
    });
  }
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await copyDatabase(database, draft, { signal, onProgress: progressLines(err) });
    const contents = await inspectDatabase(draft, database).catch((error: unknown) => {
      throw toStartError(error, database);
    });
    // A signal during the check is handled now.
    await new Promise((turn) => setImmediate(turn));
    signal.throwIfAborted();
    const bytes = sizeOf(draft) ?? 0;
    if (!publishDraft(draft, path, { replaces: force })) throw targetExists(path);
    if (json) out(`${JSON.stringify({ file: path, bytes, ...contents })}\n`);
    else out(`Copied ${database} to ${path}: ${contentsText(contents)}, ${sizeText(bytes)}.\n`);
    err('The copy has no keys: keep those of the platform as well (backup --help).\n');
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CommandError('The backup was canceled; nothing was written.', { hint: 'Run it again.' });
  } finally {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(draft + suffix, { force: true });
  }
}

function refuseTarget(path: string, dataDir: string, force: boolean): void {
  const folder = dirname(path);
  if (sizeOf(folder) === undefined) {
    throw new CommandError(`The folder ${folder} does not exist.`, {
      hint: 'Create it, or give another file.',
    });
  }
  const isOwnFile = /^(platform\.(db|lock)|operator-key$)/.test(basename(path));
  if (isOwnFile && sizeOf(dataDir) !== undefined && realpathSync(folder) === realpathSync(dataDir)) {
    throw new CommandError(`${path} is the name of a file of the platform.`, { hint: 'Give another file.' });
  }
  const existing = statSync(path, { throwIfNoEntry: false });
  if (existing?.isDirectory()) {
    throw new CommandError(`${path} is a folder.`, { hint: 'Give the name of a file in it.' });
  }
  // A rename would replace a device, a pipe or a link itself.
  const isOther = lstatSync(path, { throwIfNoEntry: false })?.isFile() === false;
  if (isOther && force) {
    throw new CommandError(`${path} is not a regular file.`, { hint: 'Give another file.' });
  }
  if ((existing !== undefined || isOther) && !force) throw targetExists(path);
}

function targetExists(path: string): CommandError {
  return new CommandError(`${path} exists.`, { hint: 'Give another file, or replace this one by --force.' });
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** One line a second for a copy that takes longer. */
function progressLines(err: Output['err']): Parameters<typeof copyDatabase>[2]['onProgress'] {
  let writtenAt = performance.now();
  return ({ copied, total }) => {
    if (performance.now() - writtenAt < PROGRESS_EVERY_MS) return;
    writtenAt = performance.now();
    err(`Copied ${Math.floor((100 * copied) / total)} %.\n`);
  };
}
