import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { onTestFinished, vi } from 'vitest';
import type { DatabaseDialect } from '../src/database/dialect.ts';
import * as sqlite from '../src/database/sqlite-dialect.ts';
import type { PlatformOptions } from '../src/index.ts';
import { openPlatform } from './resources-of-test.ts';
import type { RunningPlatform } from './running-platform.ts';

/** Stands for `select … for update` in the statements of a transaction. */
const LOCK = 'lock';

/** Changes one workspace, and waits for the transaction that has locked its row. */
const CHANGE = /^update "workspaces" set .* where "id" = \?/;

type Rows = { readonly rows: unknown[]; readonly numAffectedRows?: bigint };

/**
 * A database whose transactions run at the same time, as with READ COMMITTED: each statement sees what was committed before
 * it, and the rows of workspaces are locked until the transaction ends that has locked or changed them. SQLite keeps the rows
 * and commits each statement at once, so a test lets another transaction in only before a transaction has written, and no
 * transaction may fail after that.
 */
export class ReadCommitted {
  readonly dialect: DatabaseDialect;
  /** What is stored. */
  readonly stored = new DatabaseSync(':memory:');
  /** Locks that were taken after that of a greater id: two transactions that do this can wait for each other. */
  readonly locksOutOfOrder: string[] = [];
  /** Runs each statement. A test replaces it to fail one, or to change its rows. */
  around: (sql: string, run: () => Rows) => Rows = (_sql, run) => run();
  readonly #locks = new Map<string, Connection>();
  #released = Promise.withResolvers<void>();
  #whenLocked = () => {};
  #step: { readonly before: RegExp; readonly run: () => Promise<void> } | undefined;

  constructor() {
    this.stored.exec('PRAGMA foreign_keys = ON');
    this.dialect = {
      name: 'sqlite',
      kysely: this.#kysely(),
      sequenceType: 'integer',
      lockWorkspaces: async (trx, ids) => void (await trx.executeQuery(CompiledQuery.raw(LOCK, [...ids]))),
      isUnavailable: () => false,
      isDiskFull: () => false,
      close: async () => {},
    };
  }

  /** Starts `first`. Just before it runs such a statement, `second` runs until it has ended or waits for a lock. */
  async between<First, Second>(
    first: () => Promise<First>,
    before: RegExp,
    second: () => Promise<Second>,
  ): Promise<[First, Second]> {
    let other: Promise<Second> | undefined;
    const run = async () => {
      const isLocked = new Promise<void>((resolve) => {
        this.#whenLocked = resolve;
      });
      other = second();
      await Promise.race([other, isLocked]);
    };
    this.#step = { before, run };
    const result = await first();
    if (other === undefined) throw new Error(`There was no statement ${before}.`);
    return [result, await other];
  }

  async run(connection: Connection, { sql, parameters }: CompiledQuery): Promise<Rows> {
    if (this.#step?.before.test(sql) === true) {
      const { run } = this.#step;
      this.#step = undefined;
      if (connection.hasWritten) throw new Error('The transaction has written before this statement.');
      await run();
    }
    const values = parameters as SQLInputValue[];
    if (sql === LOCK) {
      await this.#lock(connection, values.map(String));
      return { rows: [] };
    }
    const change = CHANGE.exec(sql);
    if (change !== null) await this.#lock(connection, [String(values[change[0].split('?').length - 2])]);
    if (/^(insert|update|delete)/.test(sql)) connection.hasWritten = true;
    return this.around(sql, () => {
      const statement = this.stored.prepare(sql);
      if (statement.columns().length > 0) return { rows: statement.all(...values) };
      return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) };
    });
  }

  async #lock(connection: Connection, ids: readonly string[]): Promise<void> {
    for (const id of [...ids].sort()) {
      if (this.#locks.get(id) === connection) continue;
      const hasGreater = [...this.#locks].some(([held, by]) => by === connection && held > id);
      if (hasGreater) this.locksOutOfOrder.push(id);
      while (this.#locks.has(id)) {
        this.#whenLocked();
        await this.#released.promise;
      }
      this.#locks.set(id, connection);
    }
  }

  #end(connection: Connection): void {
    for (const [id, by] of this.#locks) if (by === connection) this.#locks.delete(id);
    this.#released.resolve();
    this.#released = Promise.withResolvers();
  }

  #kysely(): Dialect {
    const driver: Driver = {
      init: async () => {},
      acquireConnection: async () => new Connection(this),
      releaseConnection: async (connection) => this.#end(connection as Connection),
      beginTransaction: async () => {},
      commitTransaction: async () => {},
      rollbackTransaction: async (connection) => {
        if ((connection as Connection).hasWritten) throw new Error('What was written cannot be undone here.');
      },
      destroy: async () => this.stored.close(),
    };
    return {
      createAdapter: () => new ConcurrentAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    };
  }
}

class ConcurrentAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class Connection implements DatabaseConnection {
  hasWritten = false;
  readonly #database: ReadCommitted;

  constructor(database: ReadCommitted) {
    this.#database = database;
  }

  async executeQuery<Row>(query: CompiledQuery) {
    return (await this.#database.run(this, query)) as QueryResult<Row>;
  }

  streamQuery(): AsyncIterableIterator<never> {
    throw new Error('No query is streamed.');
  }
}

/** A platform with such a database. */
export async function openReadCommitted(
  options: PlatformOptions = {},
): Promise<RunningPlatform & { readonly database: ReadCommitted }> {
  const database = new ReadCommitted();
  const opened = vi.spyOn(sqlite, 'openSqliteDialect').mockResolvedValueOnce(database.dialect);
  onTestFinished(() => opened.mockRestore());
  return { ...(await openPlatform(options)), database };
}
