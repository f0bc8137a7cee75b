import { chmodSync, existsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { migrationsOf } from './migrations.ts';
import { damaged } from './sqlite-errors.ts';
import { nodeSqlite, openSqliteFile } from './sqlite-file.ts';
import { VERSIONS_TABLE, whyUnreadable } from './stored-schema.rules.ts';

/** About 8 MiB: progress and an abort are noticed after each of these. */
const PAGES_A_STEP = 2_000;
const BUSY_TIMEOUT_MS = 10_000;

/**
 * How far the numbers of rows jump in a database that is restored. Clients have seen numbers that were given after the
 * backup; those of new rows must be higher.
 */
const SEQUENCE_JUMP = 1_000_000_000;

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
 */
export async function copyDatabase(
  from: string,
  to: string,
  { signal, onProgress }: CopyOptions,
): Promise<void> {
  const { backup } = await nodeSqlite();
  const source = await openSqliteFile(from, BUSY_TIMEOUT_MS);
  try {
    source.exec('BEGIN');
    source.prepare('SELECT count(*) FROM sqlite_master').get();
    await backup(source, to, {
      rate: PAGES_A_STEP,
      progress: ({ totalPages, remainingPages }) => {
        signal.throwIfAborted();
        onProgress({ copied: totalPages - remainingPages, total: totalPages });
      },
    });
  } finally {
    source.close();
  }
  signal.throwIfAborted();
  chmodSync(to, 0o600);
  const copy = await openSqliteFile(to, BUSY_TIMEOUT_MS);
  try {
    // One file: with a log beside it, a copy of the file alone could lack rows.
    copy.exec('PRAGMA journal_mode = DELETE');
  } finally {
    copy.close();
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
  const { DatabaseSync: Database } = await nodeSqlite();
  // Immutable: nothing is created beside the file, and its folder may be read-only.
  const database = new Database(new URL(`${pathToFileURL(path).href}?immutable=1`), { readOnly: true });
  try {
    const { integrity_check: result } = database.prepare('PRAGMA integrity_check(1)').get() ?? {};
    if (result !== 'ok') throw damaged(`The database ${path} is damaged.`, result);
    const tables = column(database, "SELECT name FROM sqlite_master WHERE type = 'table'");
    if (tables.length === 0) throw damaged(`${path} has no data of a platform.`);
    const applied = tables.includes('kysely_migration')
      ? column(database, 'SELECT name FROM kysely_migration')
      : [];
    const versions = tables.includes(VERSIONS_TABLE)
      ? column(database, 'SELECT version FROM schema_versions ORDER BY migrated_at DESC LIMIT 1')
      : [];
    const known = Object.keys(migrationsOf({ name: 'sqlite', sequenceType: 'integer' }));
    const refusal = whyUnreadable({ tables, applied, writtenBy: versions[0] }, known);
    if (refusal !== undefined) throw refusal;
    return {
      workspaces: count(database, 'SELECT count(*) FROM workspaces WHERE removed_at IS NULL'),
      messages: count(database, "SELECT count(*) FROM activity WHERE activity_type = 'a2a_receive'"),
    };
  } finally {
    database.close();
  }
}

/** Prepares a copy of a backup for use: numbers that clients may have seen are not given again. */
export async function continueSequences(path: string): Promise<void> {
  const database = await openSqliteFile(path, BUSY_TIMEOUT_MS);
  try {
    database.exec(`
      BEGIN;
      INSERT INTO sqlite_sequence (name, seq)
        SELECT name, 0 FROM sqlite_master WHERE type = 'table' AND sql LIKE '%autoincrement%'
          AND name NOT IN (SELECT name FROM sqlite_sequence);
      UPDATE sqlite_sequence SET seq = seq + ${SEQUENCE_JUMP};
      COMMIT`);
    database.exec('PRAGMA journal_mode = DELETE');
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

function count(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0]);
}
