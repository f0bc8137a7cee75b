import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const GROUP_OR_OTHER_READ = 0o044;
const ABANDONED_AFTER_MS = 60_000;
const hasModes = process.platform !== 'win32';
const noFollow = hasModes ? constants.O_NOFOLLOW : 0;

/** Options of {@link readPrivateFile}. */
export interface ReadPrivateFileOptions {
  /** A larger file is refused, in bytes. @default 1 MiB */
  maxBytes?: number | undefined;
  /** Replaces bytes that are not UTF-8, which a write cut short can leave, instead of refusing the file. @default false */
  isMalformedAllowed?: boolean | undefined;
  /** Gets a warning when group or other may read the file. */
  logger?: Logger | undefined;
}

/**
 * Reads a private text file: `undefined` when it does not exist. A symbolic link, a folder, a file that is too
 * large or not UTF-8 is refused.
 * @throws MoleculeError `storage_failed`
 */
export async function readPrivateFile(
  path: string,
  options: ReadPrivateFileOptions = {},
): Promise<string | undefined> {
  let file: FileHandle;
  try {
    await refuseLink(path);
    file = await open(path, constants.O_RDONLY | noFollow);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw errnoOf(cause) === 'ELOOP'
      ? linkRefused(path, cause)
      : storageFailure('Cannot read the file', path, cause);
  }
  try {
    const { size, mode, isFile } = await describe(file);
    if (!isFile) throw storageError('Not a regular file', path);
    if (size > (options.maxBytes ?? 1024 * 1024)) throw storageError('The file is too large', path);
    if (hasModes && (mode & GROUP_OR_OTHER_READ) !== 0) {
      options.logger?.warn(
        { path, mode: (mode & 0o777).toString(8) },
        'A private file can be read by others: chmod 600 it.',
      );
    }
    return new TextDecoder('utf-8', { fatal: options.isMalformedAllowed !== true }).decode(
      await file.readFile(),
    );
  } catch (cause) {
    throw storageFailure(
      cause instanceof TypeError ? 'The file is not UTF-8 text' : 'Cannot read the file',
      path,
      cause,
    );
  } finally {
    await file.close();
  }
}

/**
 * Writes a private text file so that a reader, and whoever comes after a crash, sees the old text or the new one
 * and never a part: a new file of mode 0600 beside it, flushed to disk, renamed over it. Missing folders are
 * created with mode 0700; existing ones keep theirs. A symbolic link at `path` is refused.
 * @throws MoleculeError `storage_failed`
 */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomUUID()}.tmp`);
  try {
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    await refuseLink(path);
    await writeAndFlush(temporary, text);
    await rename(temporary, path);
    await flushFolder(folder);
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw storageFailure('Cannot write the file', path, cause);
  }
}

/**
 * Adds text at the end of an existing private file and flushes it to disk. A crash, or a failure, can leave a part
 * of the text at the end. A missing file is an error, because whoever appends relies on what was before.
 * @throws MoleculeError `storage_failed`
 */
export async function appendPrivateFile(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_APPEND | noFollow);
    try {
      await file.writeFile(text, 'utf8');
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw storageFailure('Cannot write the file', path, cause);
  }
}

/** Removes what writers that died left beside `path`, once it is a minute old. Never throws. */
export async function removeAbandonedTemporaries(path: string, nowMs: number): Promise<void> {
  const folder = dirname(path);
  const prefix = `.${basename(path)}.`;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    const abandoned = join(folder, name);
    const facts = await stat(abandoned).catch(() => undefined);
    if (facts !== undefined && nowMs - facts.mtimeMs > ABANDONED_AFTER_MS)
      await unlink(abandoned).catch(() => {});
  }
}

async function writeAndFlush(path: string, text: string): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow;
  const file = await open(path, flags, FILE_MODE);
  try {
    await file.writeFile(text, 'utf8');
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a rename survive a power cut; systems that cannot flush a folder are left alone. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY).catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function refuseLink(path: string): Promise<void> {
  const facts = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (facts?.isSymbolicLink() === true) throw linkRefused(path);
}

async function describe(file: FileHandle): Promise<{ size: number; mode: number; isFile: boolean }> {
  const facts = await file.stat();
  return { size: facts.size, mode: facts.mode, isFile: facts.isFile() };
}

function linkRefused(path: string, cause?: unknown): Error {
  return storageError('A symbolic link is not followed', path, cause);
}

function storageFailure(what: string, path: string, cause: unknown): Error {
  return cause instanceof Error && cause.name === 'MoleculeError' ? cause : storageError(what, path, cause);
}

/** Makes the error of a private file that cannot be used; names the path, never the content. */
export function storageError(what: string, path: string, cause?: unknown): MoleculeError {
  const code = errnoOf(cause);
  return new MoleculeError(`${what}: ${path}${code === undefined ? '' : ` (${code})`}`, {
    code: 'storage_failed',
    hint: hintFor(code),
    cause,
  });
}

/** The system's error code, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function hintFor(code: string | undefined): string {
  if (code === 'EACCES' || code === 'EPERM')
    return 'The user of this process may not use it: correct owner or mode.';
  if (code === 'EROFS') return 'The file system is read-only: set stateDirectory to a writable folder.';
  if (code === 'ENOSPC') return 'The disk is full.';
  return 'Check the folder, or set stateDirectory to another one.';
}
