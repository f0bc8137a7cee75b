import { errorFacts } from '../foreign-error.ts';
import { PlatformStartError } from '../platform-start-error.ts';

export const SQLITE_BUSY = 5;
export const SQLITE_FULL = 13;
export const SQLITE_CONSTRAINT = 19;
const SQLITE_ERROR = 1;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
/** With its extension. */
export const SQLITE_IOERR_WRITE = 778;
const IOERR_READ = 1;
const IOERR_SHORT_READ = 2;

export const OTHER_FOLDER = 'choose another folder with dataDir (MOLECULE_DATA_DIR, --data-dir)';
const RESTORE = `Put a backup in its place with molecule-platform restore <file> --force, which keeps the damaged file under another name, or ${OTHER_FOLDER}.`;

/** SQLite's result code without its extension; undefined when the error has none. */
export function primaryCode(error: unknown): number | undefined {
  const { errcode } = errorFacts(error);
  return errcode === undefined ? undefined : errcode & 0xff;
}

/** Whether SQLite could not read a file as a database. */
export function isDamage(error: unknown): boolean {
  return [SQLITE_CORRUPT, SQLITE_NOTADB].includes(primaryCode(error) ?? 0);
}

/** Whether a statement is wrong, as one with a name that the database does not have; not a state of the file or the disk. */
export function isStatementError(error: unknown): boolean {
  return primaryCode(error) === SQLITE_ERROR;
}

/** Whether a copy failed at its source; all other failures are those of the file that is written. */
export function isReadFailure(error: unknown): boolean {
  const code = primaryCode(error);
  if (code === SQLITE_IOERR) {
    const detail = (errorFacts(error).errcode ?? 0) >> 8;
    return [IOERR_READ, IOERR_SHORT_READ].includes(detail);
  }
  return [SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_BUSY, SQLITE_LOCKED].includes(code ?? 0);
}

/** Why files cannot be created or written, by the code of Node. */
const FILE_REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  ENOTDIR: 'a part of the path is a file',
  EISDIR: 'a folder has the name of a file of the platform',
  ENOENT: 'the file system allows no folder there',
  ELOOP: 'the path has too many symbolic links',
  ENAMETOOLONG: 'the path is too long',
};

/** For these no access or space helps. */
const WRONG_PATHS: ReadonlySet<string> = new Set(['ENOTDIR', 'ENOENT', 'ELOOP', 'ENAMETOOLONG', 'EROFS']);

/** The reason of an error of Node's file functions; undefined for every other error. */
function fileReason(error: unknown): string | undefined {
  const { code } = errorFacts(error);
  return code === undefined ? undefined : FILE_REASONS[code];
}

/** An error of a file or of SQLite as the reason why a platform cannot start; `path` begins its sentence. Other errors as they are. */
export function toStartError(error: unknown, path: string): unknown {
  const unusable = (reason: string, hint: string) =>
    new PlatformStartError('data_folder_unusable', `${path} cannot be used: ${reason}.`, {
      hint,
      cause: error,
    });
  const reason = fileReason(error);
  if (reason !== undefined) {
    const { code = '' } = errorFacts(error);
    if (WRONG_PATHS.has(code)) return unusable(reason, `${OTHER_FOLDER.replace('c', 'C')}.`);
    return unusable(reason, `Give this user access to it and space for it, or ${OTHER_FOLDER}.`);
  }
  switch (primaryCode(error)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return new PlatformStartError('data_folder_in_use', `Another process has locked ${path}.`, {
        hint: `End that process, or ${OTHER_FOLDER}.`,
        cause: error,
      });
    case SQLITE_FULL:
      return unusable('the disk is full', `Free space on its disk, or ${OTHER_FOLDER}.`);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return unusable(
        'SQLite cannot open it for writing',
        `Give this user access to it, or ${OTHER_FOLDER}.`,
      );
    case SQLITE_IOERR:
      return unusable('the disk reports an error', `Check the disk and its free space, or ${OTHER_FOLDER}.`);
    case SQLITE_NOTADB:
      return damaged(`${path} is not a database, or its beginning is damaged.`, error);
    case SQLITE_CORRUPT:
      return damaged(`The database ${path} is damaged.`, error);
    default:
      return error;
  }
}

export function damaged(message: string, cause?: unknown): PlatformStartError {
  return new PlatformStartError('data_damaged', message, { hint: RESTORE, cause });
}
