import { closeSync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

type Sqlite = typeof import('node:sqlite');

let loading: Promise<Sqlite> | undefined;

/** Node's SQLite, loaded when it is first needed. */
export function nodeSqlite(): Promise<Sqlite> {
  loading ??= loadSqlite();
  return loading;
}

/**
 * Opens a SQLite database. A new file has mode 0600; SQLite gives the files beside it the same mode.
 *
 * @param path `:memory:` for none
 * @param busyTimeoutMs how long a statement waits for another process
 */
export async function openSqliteFile(path: string, busyTimeoutMs: number): Promise<DatabaseSync> {
  const { DatabaseSync: Database } = await nodeSqlite();
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600));
  return new Database(path, { timeout: busyTimeoutMs });
}

/** Without the warning that it is experimental; every other warning is shown. */
async function loadSqlite(): Promise<Sqlite> {
  const { emitWarning } = process;
  const filtered = (warning: string | Error, ...rest: unknown[]) => {
    const text = typeof warning === 'string' ? warning : warning.message;
    if (text.startsWith('SQLite is an experimental feature')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  process.emitWarning = filtered as typeof process.emitWarning;
  try {
    return await import('node:sqlite');
  } finally {
    if (process.emitWarning === filtered) process.emitWarning = emitWarning;
  }
}
