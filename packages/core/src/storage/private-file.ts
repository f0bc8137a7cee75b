import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const GROUP_OR_OTHER_READ = 0o044;
const hasModes = process.platform !== 'win32';
const CHUNK_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;
const noFollow = hasModes ? constants.O_NOFOLLOW : 0;

export interface ReadPrivateFileOptions {
  /** Larger files are refused, in bytes. @default 1 MiB */
  maxBytes?: number | undefined;
  /** Replaces invalid UTF-8, which an interrupted write can leave, instead of refusing the file. @default false */
  isMalformedAllowed?: boolean | undefined;
  /** Receives a warning if group or others may read the file. */
  logger?: Logger | undefined;
}

/**
 * Reads a private text file; `undefined` if it does not exist. Symbolic links, folders, files that are too large and
 * files that are not UTF-8 are refused.
 * @throws MoleculeError `storage_failed`
 */
export async function readPrivateFile(
  path: string,
  options: ReadPrivateFileOptions = {},
): Promise<string | undefined> {
  const file = await openForReading(path);
  if (file === undefined) return undefined;
  try {
    const { size, mode } = await describe(file, path);
    if (size > (options.maxBytes ?? 1024 * 1024)) throw storageError('The file is too large', path);
    if (hasModes && (mode & GROUP_OR_OTHER_READ) !== 0) {
      options.logger?.warn(
        { path, mode: (mode & 0o777).toString(8) },
        'A private file is readable by other users: run chmod 600.',
      );
    }
    return new TextDecoder('utf-8', { fatal: options.isMalformedAllowed !== true }).decode(
      await file.readFile(),
    );
  } catch (cause) {
    throw storageFailure(
      isError(cause) && cause.name === 'TypeError' ? 'The file is not UTF-8 text' : 'Cannot read the file',
      path,
      cause,
    );
  } finally {
    await file.close();
  }
}

/**
 * Reads the lines of a private file of any size, without blank ones; `undefined` if it does not exist. Replaces invalid
 * UTF-8, which an interrupted write can leave. Symbolic links and folders are refused.
 * @throws MoleculeError `storage_failed`
 */
export async function readPrivateLines(path: string): Promise<string[] | undefined> {
  const file = await openForReading(path);
  if (file === undefined) return undefined;
  const lines: string[] = [];
  const addLine = (parts: readonly Buffer[]): void => {
    const line = Buffer.concat(parts).toString('utf8');
    if (line.trim() !== '') lines.push(line);
  };
  try {
    await describe(file, path);
    let begun: Buffer[] = [];
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: CHUNK_BYTES })) {
      let rest: Buffer = chunk;
      for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
        addLine([...begun, rest.subarray(0, end)]);
        begun = [];
        rest = rest.subarray(end + 1);
      }
      begun.push(rest);
    }
    addLine(begun);
    return lines;
  } catch (cause) {
    throw storageFailure('Cannot read the file', path, cause);
  } finally {
    await file.close();
  }
}

/**
 * Replaces a private text file atomically: writes a temporary file of mode 0600, flushes it to disk and renames it.
 * Missing folders are created with mode 0700; the mode of existing ones is not changed. A symbolic link at `path` is
 * refused.
 * @throws MoleculeError `storage_failed`
 */
export async function writePrivateFile(path: string, text: string | Iterable<string>): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${randomUUID()}.tmp`);
  try {
    await makePrivateFolder(folder);
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
 * Creates a folder and those above it that are missing, with mode 0700. `mkdir` with `recursive` never returns where a file
 * system refuses new folders with `ENOENT`, as `/proc` does.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = path; !(await exists(folder)); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) {
    await mkdir(folder, { mode: FOLDER_MODE }).catch((error: unknown) => {
      // Another process may have made it in the meantime.
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
  }
  // A link that leads nowhere is in the place of the folder.
  await stat(path);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function openForReading(path: string): Promise<FileHandle | undefined> {
  try {
    await refuseLink(path);
    return await open(path, constants.O_RDONLY | noFollow);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw errnoOf(cause) === 'ELOOP'
      ? linkRefused(path, cause)
      : storageFailure('Cannot read the file', path, cause);
  }
}

async function writeAndFlush(path: string, text: string | Iterable<string>): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow;
  const file = await open(path, flags, FILE_MODE);
  try {
    await file.writeFile(text, 'utf8');
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a rename survive a power failure, on systems that can flush a folder. */
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

async function describe(file: FileHandle, path: string): Promise<{ size: number; mode: number }> {
  const facts = await file.stat();
  if (!facts.isFile()) throw storageError('Not a regular file', path);
  return { size: facts.size, mode: facts.mode };
}

function linkRefused(path: string, cause?: unknown): Error {
  return storageError('A symbolic link is refused', path, cause);
}

export function storageFailure(what: string, path: string, cause: unknown): Error {
  return isError(cause) && cause.name === 'MoleculeError' ? cause : storageError(what, path, cause);
}

/** Creates an error that contains the path, never the content of the file. */
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
  if (!isError(error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function hintFor(code: string | undefined): string {
  if (code === 'EACCES' || code === 'EPERM')
    return 'The user of this process has no permission: correct owner or mode.';
  if (code === 'EROFS') return 'The file system is read-only: set stateDirectory to a writable folder.';
  if (code === 'ENOSPC') return 'The disk is full.';
  return 'Check the folder, or set stateDirectory to another one.';
}
