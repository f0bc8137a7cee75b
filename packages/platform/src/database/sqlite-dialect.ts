import { chmodSync, existsSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { errorFacts } from '../foreign-error.ts';
import type { DatabaseDialect } from './dialect.ts';
import { whyForeign } from './migrate.ts';
import { SqliteConnection } from './sqlite-connection.ts';
import {
  damaged,
  primaryCode,
  SQLITE_BUSY,
  SQLITE_CONSTRAINT,
  SQLITE_FULL,
  SQLITE_IOERR_WRITE,
} from './sqlite-errors.ts';
import { openSqliteFile } from './sqlite-file.ts';

/** A database of this size is checked in about 60 ms. */
const CHECKED_BYTES = 64 * 1024 * 1024;

interface SqliteDialectOptions {
  /** Path of the database file (created with mode 0600 in a folder that exists), or `:memory:`. */
  readonly path: string;
  /**
   * `full` waits for the disk at each commit, so a power failure loses no accepted message;
   * `normal` survives a killed process but may lose the last commits in a power failure.
   * @default 'full'
   */
  readonly synchronous: 'full' | 'normal';
}

/**
 * Opens the embedded database. A file of up to 64 MiB is checked for damage; a larger one when its pages are read.
 *
 * @throws PlatformStartError `data_damaged`
 */
export async function openSqliteDialect(options: SqliteDialectOptions): Promise<DatabaseDialect> {
  refuseLogOfMissing(options.path);
  const database = await openSqliteFile(options.path, 5_000);
  try {
    refuseForeign(database, options.path);
    configure(database, options);
    return dialectOf(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite deletes the log of a database that is missing or empty, and with it the last commits. */
function refuseLogOfMissing(path: string): void {
  if (path === ':memory:' || sizeOf(path) > 0 || sizeOf(`${path}-wal`) === 0) return;
  throw damaged(`The database ${path} is missing or empty, and its log ${path}-wal is there.`);
}

/** Before anything of the file is changed. */
function refuseForeign(database: DatabaseSync, path: string): void {
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  const names = tables.map(({ name }) => String(name));
  const refusal = whyForeign(path, names);
  if (refusal !== undefined) throw refusal;
  for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) chmodSync(file, 0o600);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function configure(database: DatabaseSync, options: SqliteDialectOptions): void {
  if (sizeOf(options.path) <= CHECKED_BYTES) {
    const { quick_check: result } = database.prepare('PRAGMA quick_check(1)').get() ?? {};
    if (result !== 'ok') throw damaged(`The database ${options.path} is damaged.`, result);
  }
  database.exec('PRAGMA foreign_keys = ON');
  database.exec('PRAGMA temp_store = MEMORY');
  database.exec('PRAGMA cache_size = -16000');
  // A checkpoint waits for the disk several times, so it runs each 32 MB of log and not each 4 MB.
  database.exec('PRAGMA wal_autocheckpoint = 8000');
}

function dialectOf(database: DatabaseSync, { path, synchronous }: SqliteDialectOptions): DatabaseDialect {
  const { journal_mode: mode } = database.prepare('PRAGMA journal_mode = WAL').get() ?? {};
  const isFull = synchronous === 'full' && path !== ':memory:';
  // With a log the connection flushes commits itself. Without one, as on some network disks, SQLite has to.
  database.exec(`PRAGMA synchronous = ${isFull && mode !== 'wal' ? 'FULL' : 'NORMAL'}`);
  const connection = new SqliteConnection(database, isFull && mode === 'wal' ? path : undefined);
  return {
    name: 'sqlite',
    kysely: connection.dialect(),
    sequenceType: 'integer',
    path,
    connection,
    isUnavailable: isSqliteUnavailable,
    // Of a quota or a limit of sizes only the write says that it failed.
    isDiskFull: (error) => [SQLITE_FULL, SQLITE_IOERR_WRITE].includes(errorFacts(error).errcode ?? 0),
    close: async () => connection.close(),
  };
}

/**
 * Locks a file; the operating system releases the lock when the process ends in any way. The lock is an open
 * exclusive transaction on a separate SQLite file. Returns undefined when another process holds it.
 */
export async function lockFile(path: string): Promise<{ release(): void } | undefined> {
  const lock = await openSqliteFile(path, 0);
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (primaryCode(error) === SQLITE_BUSY) return undefined;
    throw error;
  }
  return {
    release: () => {
      if (lock.isOpen) lock.close();
    },
  };
}

function isSqliteUnavailable(error: unknown): boolean {
  const { code, message } = errorFacts(error);
  // A violated constraint is a defect of the platform, not an unavailable database.
  if (code === 'ERR_SQLITE_ERROR') return primaryCode(error) !== SQLITE_CONSTRAINT;
  return code === 'ERR_INVALID_STATE' && message.includes('database');
}
