import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely';
import type { DatabaseDialect } from './dialect.ts';

/** How many prepared statements are kept; the platform's own set is far smaller. */
const STATEMENT_CACHE_SIZE = 400;

export interface SqliteDialectOptions {
  /** Path of the database file (made 0600 in a 0700 folder), or `:memory:`. */
  readonly path: string;
  /**
   * `full` waits for the disk at each commit, so that a power cut loses nothing accepted;
   * `normal` survives a killed process but may lose the last commits in a power cut.
   * @default 'full'
   */
  readonly synchronous: 'full' | 'normal';
}

/** Opens the embedded database. Node's own SQLite is loaded lazily, so that a bin can first silence its one warning. */
export async function openSqliteDialect(options: SqliteDialectOptions): Promise<DatabaseDialect> {
  const { DatabaseSync: Database } = await import('node:sqlite');
  const inMemory = options.path === ':memory:';
  if (!inMemory) mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
  const database = new Database(options.path, { timeout: 5_000 });
  if (!inMemory) chmodSync(options.path, 0o600);
  database.exec('PRAGMA journal_mode = WAL');
  database.exec(`PRAGMA synchronous = ${options.synchronous === 'full' ? 'FULL' : 'NORMAL'}`);
  database.exec('PRAGMA foreign_keys = ON');
  database.exec('PRAGMA temp_store = MEMORY');
  database.exec('PRAGMA cache_size = -16000');
  // A checkpoint waits for the disk several times, so it comes each 32 MB of log and not each 4 MB.
  database.exec('PRAGMA wal_autocheckpoint = 8000');
  const shared = toKyselyDatabase(database);
  return {
    name: 'sqlite',
    kysely: new SqliteDialect({ database: shared }),
    sequenceType: 'integer',
    runNow: (sql, parameters) => {
      const statement = shared.prepare(sql);
      if (statement.reader) return { rows: statement.all(parameters) };
      return { rows: [], numAffectedRows: BigInt(statement.run(parameters).changes) };
    },
    close: async () => {
      if (database.isOpen) database.close();
    },
  };
}

function toKyselyDatabase(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => {
      statements.clear();
      if (database.isOpen) database.close();
    },
    prepare: (sql) => {
      const cached = statements.get(sql);
      if (cached !== undefined) {
        statements.delete(sql);
        statements.set(sql, cached);
        return cached;
      }
      const statement = toKyselyStatement(database.prepare(sql));
      statements.set(sql, statement);
      if (statements.size > STATEMENT_CACHE_SIZE) {
        const oldest = statements.keys().next().value;
        if (oldest !== undefined) statements.delete(oldest);
      }
      return statement;
    },
  };
}

function toKyselyStatement(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
    run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
    iterate: (parameters) =>
      statement.iterate(...(parameters as SQLInputValue[])) as IterableIterator<unknown>,
  };
}
