import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { Kysely } from 'kysely';
import { printable } from '../foreign-text.ts';
import { PlatformStartError } from '../platform-start-error.ts';
import { runMigrations, VERSIONS_TABLE, whyUnreadable } from './migrate.ts';
import { migrationsOf } from './migrations.ts';
import type { Database } from './schema.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';
import { damaged, isReadFailure, isStatementError, toStartError } from './sqlite-errors.ts';
import { nodeSqlite, openSqliteFile } from './sqlite-file.ts';

/** A table, index, trigger or view of a database. */
interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/** All that SQLite has not made by itself. */
const SCHEMA_OBJECTS =
  "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_stat_' ESCAPE '\\'";

/**
 * The first object that a database has and a platform does not make, or that it lacks, after these migrations; undefined
 * when it has exactly those of a platform. A trigger, a view or a check of another origin would run in the platform.
 */
async function unexpectedObject(
  found: readonly SchemaObject[],
  applied: readonly string[],
): Promise<SchemaObject | undefined> {
  const expected = await schemaAfter(applied);
  // Versions of the query builder may differ in quotes, in case and in white space.
  const sameAs = ({ type, name, sql }: SchemaObject) =>
    `${type} ${name} ${sql.toLowerCase().replaceAll(/["`\s]+/g, '')}`;
  const expectedKeys = new Set(expected.map(sameAs));
  const foundKeys = new Set(found.map(sameAs));
  return (
    found.find((object) => !expectedKeys.has(sameAs(object))) ??
    expected.find((object) => !foundKeys.has(sameAs(object)))
  );
}

async function schemaAfter(applied: readonly string[]): Promise<SchemaObject[]> {
  const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
  const { connection } = dialect;
  if (connection === undefined) throw new Error('SQLite has one connection.');
  const migrations = Object.entries(migrationsOf(dialect)).filter(([name]) => applied.includes(name));
  const db = new Kysely<Database>({ dialect: dialect.kysely });
  try {
    await connection.inTransaction(() =>
      runMigrations(connection.newTransaction(), Object.fromEntries(migrations)),
    );
    return connection.run(connection.prepare(SCHEMA_OBJECTS), []).rows as SchemaObject[];
  } finally {
    await db.destroy();
    await dialect.close();
  }
}

/** Higher numbers are none of a platform. `since_seq` has at most 15 digits; half of that, so that rows can follow. */
const HIGHEST = 500_000_000_000_000;
/** The numbers of a restored database begin at least this far above those in its backup. */
const JUMP = 1_000_000_000;
/** More rows in a second than a platform can store. */
const ROWS_A_MS = 100;
const SINCE = Date.UTC(2020, 0, 1);

/**
 * The highest number that a database has given to a row; 0 when it has given none.
 *
 * @throws PlatformStartError for numbers that no platform gives.
 */
function highestNumber(database: DatabaseSync, path: string): number {
  const stored = database.prepare('SELECT seq FROM sqlite_sequence');
  stored.setReadBigInts(true);
  let highest = 0;
  for (const { seq } of stored.iterate()) {
    if (typeof seq !== 'bigint' || seq < 0n || seq > BigInt(HIGHEST))
      throw damaged(`The database ${path} has row numbers that no platform gives.`);
    highest = Math.max(highest, Number(seq));
  }
  return highest;
}

/** Makes every table give numbers above `last` from now on. */
function continueAfter(database: DatabaseSync, last: number): void {
  database.exec(`BEGIN;
    DELETE FROM sqlite_sequence;
    INSERT INTO sqlite_sequence (name, seq)
      SELECT name, ${last} FROM sqlite_master WHERE type = 'table' AND sql LIKE '%autoincrement%';
    COMMIT`);
}

/** About 8 MiB: progress and an abort are noticed after each of these. */
const PAGES_A_STEP = 2_000;
const BUSY_TIMEOUT_MS = 10_000;

/** What a database of a platform contains. */
export interface DatabaseContents {
  readonly workspaces: number;
  readonly messages: number;
}

interface CopyOptions {
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
 * @param name of the database in errors, for a copy of it
 * @throws PlatformStartError when it is damaged, or not a database that this version can read.
 */
export async function inspectDatabase(path: string, name = path): Promise<DatabaseContents> {
  if (existsSync(`${path}-wal`)) {
    throw damaged(`${path} has a log beside it, ${path}-wal: it is no copy but the database of a platform.`);
  }
  if (hasLogMode(path))
    throw damaged(`${path} is a raw copy of a database that was in use: it may lack its last commits.`);
  const { DatabaseSync: Database } = await nodeSqlite();
  // Immutable: nothing is created beside the file, and its folder may be read-only.
  const database = new Database(new URL(`${pathToFileURL(path).href}?immutable=1`), { readOnly: true });
  try {
    // The schema first: its checks, triggers and views run in the statements after it.
    await refuseForeignSchema(database, name);
    const { integrity_check: result } = database.prepare('PRAGMA integrity_check(1)').get() ?? {};
    if (result !== 'ok') throw damaged(`The database ${name} is damaged.`, result);
    highestNumber(database, name);
    return {
      workspaces: Number(column(database, 'SELECT count(*) FROM workspaces WHERE removed_at IS NULL')[0]),
      messages: Number(
        column(
          database,
          'SELECT count(*) FROM activity WHERE message_id IS NOT NULL AND answers_id IS NULL',
        )[0],
      ),
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
    ? column(database, 'SELECT name FROM kysely_migration')
    : [];
  const versions = tables.includes(VERSIONS_TABLE)
    ? column(database, 'SELECT version FROM schema_versions ORDER BY migrated_at DESC LIMIT 1')
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
 * Prepares a copy of a backup for use: numbers that clients may have seen are not given again, also those that were given after the backup,
 * possibly by a database that is not there any more. Hence they also grow with time, faster than a platform stores rows: about 3e12 a year.
 * They reach the highest that is possible after the year 2170.
 *
 * @param replaced the database that it replaces, if there is one
 */
export async function continueNumbers(path: string, replaced: string | undefined): Promise<void> {
  const former = replaced === undefined ? 0 : await highestNumberIn(replaced);
  const database = await openSqliteFile(path, BUSY_TIMEOUT_MS);
  try {
    const backup = highestNumber(database, path);
    continueAfter(database, Math.max(backup + JUMP, former, (Date.now() - SINCE) * ROWS_A_MS));
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

/** Empty when the table has no such column, as a table of another application. */
function column(database: DatabaseSync, sql: string): string[] {
  try {
    const rows = database.prepare(sql).all();
    return rows.map((row) => String(Object.values(row)[0]));
  } catch (error) {
    if (isStatementError(error)) return [];
    throw error;
  }
}
