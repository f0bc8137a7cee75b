import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteIntrospector,
  SqliteQueryCompiler,
  Transaction,
} from 'kysely';
import type { Database } from './schema.ts';

/**
 * A database with one connection, on which each statement runs synchronously. Kysely builds the queries; what it does for each of them to
 * share connections of a pool is left out, because it costs more than most statements.
 */
export class OneConnection {
  readonly #database: SqliteDatabase;
  /** Called with each statement that Kysely does not run itself. */
  onQuery: ((sql: string) => void) | undefined;
  /** Resolves when the open transaction has ended. */
  #transaction: Promise<void> | undefined;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Whether a transaction is open. A statement that does not belong to it has to wait. */
  get isInTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  /** Runs a statement now: of the open transaction, or while there is none. */
  runNow(sql: string, parameters: readonly unknown[]): QueryResult<unknown> {
    this.onQuery?.(sql);
    return this.#run(sql, parameters);
  }

  /** Runs `work` in a transaction; its error, or that of the commit, rolls it back. One at a time. */
  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    let end = () => {};
    this.#transaction = new Promise((resolve) => {
      end = resolve;
    });
    try {
      this.runNow('begin', []);
      const result = await work();
      this.runNow('commit', []);
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    } finally {
      this.#transaction = undefined;
      end();
    }
  }

  /** Builds and runs queries inside `inTransaction`. */
  newTransaction(): Transaction<Database> {
    const connection: DatabaseConnection = {
      executeQuery: async <R>({ sql, parameters }: CompiledQuery) =>
        this.runNow(sql, parameters) as QueryResult<R>,
      streamQuery: noStream,
    };
    const executor = new DefaultQueryExecutor(new SqliteQueryCompiler(), new TransactionalAdapter(), {
      provideConnection: (consumer) => consumer(connection),
    });
    const dialect = this.dialect();
    return new Transaction<Database>({
      config: { dialect },
      driver: dialect.createDriver(),
      dialect,
      executor,
    });
  }

  /** Kysely's queries outside of transactions; they wait for an open one. */
  dialect(): Dialect {
    return {
      createAdapter: () => new TransactionalAdapter(),
      createDriver: () => this.#driver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    };
  }

  #driver(): Driver {
    const connection: DatabaseConnection = {
      executeQuery: async <R>({ sql, parameters }: CompiledQuery) => {
        while (this.#transaction !== undefined) await this.#transaction;
        return this.#run(sql, parameters) as QueryResult<R>;
      },
      streamQuery: noStream,
    };
    const refuse = () => Promise.reject(new Error('Transactions are those of PlatformDatabase.'));
    return {
      init: async () => {},
      acquireConnection: async () => connection,
      releaseConnection: async () => {},
      beginTransaction: refuse,
      commitTransaction: refuse,
      rollbackTransaction: refuse,
      destroy: async () => this.#database.close(),
    };
  }

  #run(sql: string, parameters: readonly unknown[]): QueryResult<unknown> {
    const statement = this.#database.prepare(sql);
    if (statement.reader) return { rows: statement.all(parameters) as unknown[] };
    return { rows: [], numAffectedRows: BigInt(statement.run(parameters).changes) };
  }

  #rollBack(): void {
    try {
      this.runNow('rollback', []);
    } catch {
      // SQLite has rolled it back itself, as when the disk is full, or the database is closed.
    }
  }
}

/** Changes of the schema are part of a transaction in SQLite; Kysely's adapter does not use that. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function noStream(): AsyncIterableIterator<never> {
  throw new Error('No query is streamed.');
}
