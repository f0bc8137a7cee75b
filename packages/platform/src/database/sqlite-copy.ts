import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { printable } from '../foreign-text.ts';
import { PlatformStartError } from '../platform-start-error.ts';
import { SCHEMA_OBJECTS, type SchemaObject, unexpectedObject } from './expected-schema.ts';
import { migrationsOf } from './migrations.ts';
import { continueAfter, highestNumber, numberAfterRestore } from './row-numbers.ts';
import { damaged, isReadFailure, isUnknownName, toStartError } from './sqlite-errors.ts';
import { nodeSqlite, openSqliteFile } from './sqlite-file.ts';
import { VERSIONS_TABLE, whyUnreadable } from './stored-schema.rules.ts';

/** About 8 MiB: progress and an abort are noticed after each of these. */
const PAGES_A_STEP = 2_000;
const BUSY_TIMEOUT_MS = 10_000;

/** What a database of a platform contains. */
export interface DatabaseContents {
  readonly workspaces: number;
  readonly messages: number;
}

export interface CopyOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly copied: number; readonly total: number }) => void;
}

/**
 * Copies a database that a platform may be using, as it is at one moment, into a new private file. SQLite starts a copy
 * again when another connection writes, so the copy is made within a read transaction, which sees no later commit.
 *
 * @throws PlatformStartError that names the database, or the folder of the copy
 */
export async function copyDatabase(
  from: string,
  to: string,
  { signal, onProgress }: CopyOptions,
): Promise<void> {
  const { backup } = await nodeSqlite();
  // Private before the first page is in it; its journal gets the same mode.
  try {
    closeSync(openSync(to, 'wx', 0o600));
  } catch (error) {
    throw toStartError(error, dirname(to));
  }
  const source = await openSource(from);
  try {
    await backup(source, to, {
      rate: PAGES_A_STEP,
      progress: ({ totalPages, remainingPages }) => {
        signal.throwIfAborted();
        onProgress({ copied: totalPages - remainingPages, total: totalPages });
      },
    }).catch((error: unknown) => {
      throw toStartError(error, isReadFailure(error) ? from : dirname(to));
    });
  } finally {
    source.close();
  }
  signal.throwIfAborted();
  const copy = await openSqliteFile(to, BUSY_TIMEOUT_MS);
  try {
    // One file: with a log beside it, a copy of the file alone could lack rows.
    copy.exec('PRAGMA journal_mode = DELETE');
  } catch (error) {
    throw toStartError(error, dirname(to));
  } finally {
    copy.close();
  }
}

/** With a read transaction. */
async function openSource(path: string): Promise<DatabaseSync> {
  let source: DatabaseSync | undefined;
  try {
    source = await openSqliteFile(path, BUSY_TIMEOUT_MS);
    source.exec('BEGIN');
    source.prepare('SELECT count(*) FROM sqlite_master').get();
    return source;
  } catch (error) {
    source?.close();
    throw toStartError(error, path);
  }
}

/**
 * Checks every page of a file that nothing writes, and counts what it contains.
 *
 * @throws PlatformStartError when it is damaged, or not a database that this version can read.
 */
export async function inspectDatabase(path: string): Promise<DatabaseContents> {
  if (existsSync(`${path}-wal`)) {
    throw damaged(`${path} has a log beside it, ${path}-wal: it is no copy but the database of a platform.`);
  }
  if (hasLogMode(path))
    throw damaged(`${path} is a raw copy of the database of a platform: it may lack its last commits.`);
  const { DatabaseSync: Database } = await nodeSqlite();
  // Immutable: nothing is created beside the file, and its folder may be read-only.
  const database = new Database(new URL(`${pathToFileURL(path).href}?immutable=1`), { readOnly: true });
  try {
    // The schema first: its checks, triggers and views run in the statements after it.
    await refuseForeignSchema(database, path);
    const { integrity_check: result } = database.prepare('PRAGMA integrity_check(1)').get() ?? {};
    if (result !== 'ok') throw damaged(`The database ${path} is damaged.`, result);
    highestNumber(database, path);
    return {
      workspaces: count(database, 'SELECT count(*) FROM workspaces WHERE removed_at IS NULL'),
      messages: count(database, "SELECT count(*) FROM activity WHERE activity_type = 'a2a_receive'"),
    };
  } finally {
    database.close();
  }
}

/** @throws PlatformStartError unless it has the tables and indexes of a platform, and nothing else. */
async function refuseForeignSchema(database: DatabaseSync, path: string): Promise<void> {
  const tables = column(database, "SELECT name FROM sqlite_master WHERE type = 'table'");
  if (tables.length === 0) throw damaged(`${path} has no data of a platform.`);
  const applied = tables.includes('kysely_migration')
    ? columnOfPlatform(database, 'SELECT name FROM kysely_migration')
    : [];
  const versions = tables.includes(VERSIONS_TABLE)
    ? columnOfPlatform(database, 'SELECT version FROM schema_versions ORDER BY migrated_at DESC LIMIT 1')
    : [];
  const known = Object.keys(migrationsOf({ name: 'sqlite', sequenceType: 'integer' }));
  const refusal = whyUnreadable({ path, tables, applied, writtenBy: versions[0] }, known);
  if (refusal !== undefined) throw refusal;
  const found = database.prepare(SCHEMA_OBJECTS).all() as unknown as SchemaObject[];
  const unexpected = await unexpectedObject(found, applied);
  if (unexpected === undefined) return;
  const { type, name } = unexpected;
  const object = `the ${printable(type)} ${printable(name)}`;
  throw new PlatformStartError(
    'data_incompatible',
    `${path} does not have exactly the tables of a platform: ${object} is missing, or not of the platform.`,
    { hint: 'Undo what was changed in the database by hand, or use a backup.' },
  );
}

/** Whether the header of a database demands a log (WAL), as that of a running platform does. */
function hasLogMode(path: string): boolean {
  const header = Buffer.alloc(20);
  const file = openSync(path, 'r');
  try {
    readSync(file, header, 0, header.length, 0);
  } finally {
    closeSync(file);
  }
  return header.toString('latin1', 0, 15) === 'SQLite format 3' && header.subarray(18).includes(2);
}

/**
 * Prepares a copy of a backup for use: numbers that clients may have seen are not given again.
 *
 * @param replaced the database that it replaces, if there is one
 */
export async function continueNumbers(path: string, replaced: string | undefined): Promise<void> {
  const former = replaced === undefined ? 0 : await highestNumberIn(replaced);
  const database = await openSqliteFile(path, BUSY_TIMEOUT_MS);
  try {
    const backup = highestNumber(database, path);
    continueAfter(database, numberAfterRestore({ backup, replaced: former }, Date.now()));
    database.exec('PRAGMA journal_mode = DELETE');
  } finally {
    database.close();
  }
}

/** 0 for a database that cannot be read: a restore is what replaces a damaged one. */
async function highestNumberIn(path: string): Promise<number> {
  const database = await openSqliteFile(path, BUSY_TIMEOUT_MS);
  try {
    return highestNumber(database, path);
  } catch {
    return 0;
  } finally {
    database.close();
  }
}

/** Writes the commits of a log into its database and deletes the log, where that is possible. */
export async function foldLog(path: string): Promise<void> {
  const database = await openSqliteFile(path, BUSY_TIMEOUT_MS);
  try {
    database.exec('PRAGMA journal_mode = DELETE');
  } catch {
    // A damaged database keeps its log.
  } finally {
    database.close();
  }
}

function column(database: DatabaseSync, sql: string): string[] {
  return database
    .prepare(sql)
    .all()
    .map((row) => String(Object.values(row)[0]));
}

/** Empty when the table has no such column, as a table of another application. */
function columnOfPlatform(database: DatabaseSync, sql: string): string[] {
  try {
    return column(database, sql);
  } catch (error) {
    if (isUnknownName(error)) return [];
    throw error;
  }
}

function count(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0]);
}
