import { MoleculeError } from '../errors/molecule-error.ts';

/** Makes the error of a private file that cannot be used; names the path, never the content. */
export function storageError(what: string, path: string, cause?: unknown): MoleculeError {
  const code = errnoOf(cause);
  return new MoleculeError(`${what}: ${path}${code === undefined ? '' : ` (${code})`}`, {
    code: 'credential_storage_failed',
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
