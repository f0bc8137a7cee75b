import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { isProcessRunning } from './process-identity.ts';

// An import of the module would load all of it.
const { promisify } = process.getBuiltinModule('node:util');
const { constants } = fs;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const GROUP_OR_OTHER_READ = 0o044;
const hasModes = process.platform !== 'win32';
const noFollow = hasModes ? constants.O_NOFOLLOW : 0;
const CHUNK_BYTES = 1024 * 1024;
const ABANDONED_AFTER_MS = 60_000;
/** `.<file>.<process id>.<random>.tmp`, as {@link writePrivateFile} names them. */
const TEMPORARY = /^\..+\.(\d+)\.[\w-]+\.tmp$/;

interface ReadPrivateFileOptions {
  /** Larger files are refused, in bytes. @default 1 MiB */
  maxBytes?: number | undefined;
  /** Receives a warning if group or others may read the file. */
  logger?: Logger | undefined;
}

/**
 * Reads a private text file; `undefined` if it does not exist. Symbolic links, folders, files that are too large and
 * files that are not UTF-8 are refused.
 * @throws MoleculeError `storage_failed`
 */
export function readPrivateFile(
  path: string,
  { maxBytes = 1024 * 1024, logger }: ReadPrivateFileOptions = {},
): Promise<string | undefined> {
  return withFile(path, async (file, { size, mode }) => {
    if (size > maxBytes) throw storageError('The file is too large', path);
    if (hasModes && (mode & GROUP_OR_OTHER_READ) !== 0) {
      logger?.warn(
        { path, mode: (mode & 0o777).toString(8) },
        'A private file is readable by other users: run chmod 600.',
      );
    }
    const bytes = await file.readFile();
    if (!isUtf8(bytes)) throw storageError('The file is not UTF-8 text', path);
    return new TextDecoder().decode(bytes);
  });
}

/**
 * Reads the lines of a private file of any size, without blank ones; `undefined` if it does not exist. Replaces invalid
 * UTF-8, which an interrupted write can leave. Symbolic links and folders are refused.
 * @throws MoleculeError `storage_failed`
 */
export function readPrivateLines(path: string): Promise<string[] | undefined> {
  return withFile(path, async (file) => {
    const lines: string[] = [];
    let begun = '';
    const limits = { autoClose: false, highWaterMark: CHUNK_BYTES, encoding: 'utf8' } as const;
    for await (const chunk of file.createReadStream(limits)) {
      const [first = '', ...rest] = (chunk as string).split('\n');
      begun += first;
      for (const part of rest) {
        lines.push(begun);
        begun = part;
      }
    }
    lines.push(begun);
    return lines.filter((line) => line.trim() !== '');
  });
}

/** Opens a file for `read`; `undefined` if it does not exist. */
async function withFile<T>(
  path: string,
  read: (file: FileHandle, facts: fs.Stats) => Promise<T>,
): Promise<T | undefined> {
  let file: FileHandle | undefined;
  try {
    await refuseLink(path);
    file = await open(path, constants.O_RDONLY | noFollow);
    const facts = await file.stat();
    if (!facts.isFile()) throw storageError('Not a regular file', path);
    return await read(file, facts);
  } catch (cause) {
    if (file === undefined && errnoOf(cause) === 'ENOENT') return undefined;
    const isLink = errnoOf(cause) === 'ELOOP';
    throw storageError(isLink ? 'A symbolic link is refused' : 'Cannot read the file', path, cause);
  } finally {
    await file?.close();
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
    // Fails at a link.
    await writeFile(temporary, text, { flag: 'wx', mode: FILE_MODE, flush: true });
    await rename(temporary, path);
    await flushFolder(folder);
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw storageError('Cannot write the file', path, cause);
  }
}

/**
 * Removes the temporary files that killed processes left in a folder: those of a process of this host that has ended, and
 * all that are older than a minute. Never throws.
 */
export async function removeAbandonedTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid === undefined) continue;
    const path = join(folder, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) continue;
    const isOld = Date.now() - facts.mtimeMs > ABANDONED_AFTER_MS;
    if (isOld || !(await isProcessRunning(Number(pid)))) await unlink(path).catch(() => {});
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
  if (facts?.isSymbolicLink() === true) throw storageError('A symbolic link is refused', path);
}

// Descriptors and not `FileHandle`s, which take longer and must not be left to the garbage collector.
const flush = promisify(fs.fdatasync);
const close = promisify(fs.close);

/** Appends to an existing private file, which stays open. */
export class PrivateLog {
  readonly path: string;
  #descriptor: number | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Appends text, which survives the end of this process from now on, and a crash of the machine once {@link flush} has resolved. It does not
   * wait: handing a text to the system takes microseconds, also while a flush is under way. After a failure, part of it can be at the end of the file.
   * @throws MoleculeError `storage_failed`, also for a file that is missing
   */
  write(text: string): void {
    try {
      this.#descriptor ??= fs.openSync(this.path, constants.O_WRONLY | constants.O_APPEND | noFollow);
      let done = fs.writeSync(this.#descriptor, text);
      // Seldom only a part is written.
      if (done === Buffer.byteLength(text)) return;
      const bytes = Buffer.from(text, 'utf8');
      while (done < bytes.length) done += fs.writeSync(this.#descriptor, bytes, done);
    } catch (cause) {
      throw storageError('Cannot write the file', this.path, cause);
    }
  }

  /**
   * Flushes what was written to disk. Calls must not overlap. A file that was deleted or replaced since it was opened is an error, because the
   * appended text depends on the earlier content.
   * @throws MoleculeError `storage_failed`
   */
  async flush(): Promise<void> {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    try {
      // Of an open file this takes a microsecond.
      if (fs.fstatSync(descriptor).nlink === 0) throw new Error('The file was deleted or replaced.');
      await flush(descriptor);
    } catch (cause) {
      await this.close();
      throw storageError('Cannot write the file', this.path, cause);
    }
  }

  /** Closes the file; the next write opens it again. Not during a flush. Never rejects. */
  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) await close(descriptor).catch(() => {});
  }
}

const NO_PERMISSION = 'The user of this process has no permission: correct owner or mode.';
const HINTS: Readonly<Record<string, string>> = {
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  EROFS: 'The file system is read-only: set stateDirectory to a writable folder.',
  ENOSPC: 'The disk is full.',
};

/** An error that contains the path, never the content of the file; `cause` itself if it is one already. */
export function storageError(what: string, path: string, cause?: unknown): MoleculeError {
  if (MoleculeError.isInstance(cause) && cause.code === 'storage_failed') return cause;
  const code = errnoOf(cause);
  return new MoleculeError(`${what}: ${path}${code === undefined ? '' : ` (${code})`}`, {
    code: 'storage_failed',
    hint: HINTS[code ?? ''] ?? 'Check the folder, or set stateDirectory to another one.',
    cause,
  });
}

/** The system's error code, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  if (!isError(error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
