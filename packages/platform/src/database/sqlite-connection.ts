import { closeSync, fdatasync, openSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  Transaction,
} from 'kysely';
import type { Database } from './schema.ts';

/** Maximum number of statements that are kept prepared; the platform uses far fewer. */
const MAX_STATEMENTS = 400;
/** Maximum number of units that share one commit. */
const GROUP_SIZE = 64;
/** So many units do not wait for the end of a flush, because the flush after it is theirs in any case. */
const FULL_GROUP = 16;

/** A unit of work that waits for its turn, and then for the commit that contains its rows. */
interface Entry {
  work(trx: Transaction<Database>): Promise<unknown>;
  resolve(value: never): void;
  reject(error: unknown): void;
  /** Undefined until it ran. */
  result?: { readonly value: unknown } | { readonly error: unknown };
}

/**
 * A SQLite database with one connection, on which each statement runs synchronously. Kysely builds the queries; what it does for each
 * of them to share connections of a pool is left out, because it costs more than most statements.
 *
 * Units of work that arrive in one turn of the event loop, or while the disk is flushed, share one commit and one flush. Each runs in a
 * savepoint: one that fails is undone alone. Nothing that depends on a commit resolves before the commit is on the disk, reads included.
 */
export class SqliteConnection {
  /** Called with each statement. */
  onQuery: ((sql: string) => void) | undefined;
  /** Resolves with the reason when the disk has not taken a commit: from then on nothing can be read or written. */
  readonly failed: Promise<Error>;
  readonly #database: DatabaseSync;
  readonly #log: CommitLog | undefined;
  readonly #statements = new Map<string, Statement>();
  readonly #waiting: Entry[] = [];
  readonly #trx: Transaction<Database>;
  readonly #commands: Readonly<Record<'begin' | 'commit' | 'savepoint' | 'release', Statement>>;
  #isScheduled = false;
  /** A flush has ended: the units that wait do not wait for the end of another one. */
  #isDue = false;
  /** Resolves when the open transaction has ended. */
  #transaction: Promise<void> | undefined;

  /** @param flushedPath the file whose commits have to be on the disk; undefined when they need not be */
  constructor(database: DatabaseSync, flushedPath: string | undefined) {
    this.#database = database;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    const onFlushed = (failure?: Error) => {
      if (failure !== undefined) resolve(failure);
      this.#isDue = true;
      this.#schedule();
    };
    this.#log = flushedPath === undefined ? undefined : new CommitLog(`${flushedPath}-wal`, onFlushed);
    this.#trx = this.newTransaction();
    this.#commands = {
      begin: this.prepare('begin'),
      commit: this.prepare('commit'),
      savepoint: this.prepare('savepoint unit'),
      release: this.prepare('release unit'),
    };
  }

  /** Prepares a statement that runs often. Run it inside the open transaction, or while there is none. */
  prepare(sql: string): Statement {
    return new Statement(this.#database.prepare(sql), sql);
  }

  run(statement: Statement, parameters: readonly unknown[]): QueryResult<unknown> {
    this.onQuery?.(statement.sql);
    if (statement.isWrite && this.#log !== undefined) this.#log.isDirty = true;
    return statement.run(parameters);
  }

  /** Runs a statement that belongs to no transaction: it waits for an open one, and then until what was committed is on the disk. */
  async runAlone(statement: Statement, parameters: readonly unknown[]): Promise<QueryResult<unknown>> {
    while (this.#transaction !== undefined) await this.#transaction;
    const result = this.run(statement, parameters);
    await this.#log?.flushed();
    return result;
  }

  /** Runs a unit of work; its promise has the result of `work` after the commit that contains its rows is on the disk. */
  execute<T>(work: (trx: Transaction<Database>) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push({ work, resolve, reject });
    this.#schedule();
    return promise;
  }

  /** Runs `work` in a transaction; its error, or that of the commit, rolls it back. One at a time. */
  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#transaction = promise;
    try {
      this.run(this.#commands.begin, []);
      const result = await work();
      this.run(this.#commands.commit, []);
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    } finally {
      this.#transaction = undefined;
      resolve();
    }
  }

  /** Builds and runs queries inside `inTransaction`. */
  newTransaction(): Transaction<Database> {
    const connection: DatabaseConnection = {
      executeQuery: async <R>({ sql, parameters }: CompiledQuery) =>
        this.run(this.#statement(sql), parameters) as QueryResult<R>,
      streamQuery: noStream,
    };
    const executor = new DefaultQueryExecutor(new SqliteQueryCompiler(), new TransactionalAdapter(), {
      provideConnection: (consumer) => consumer(connection),
    });
    const dialect = this.dialect();
    const driver = dialect.createDriver();
    return new Transaction<Database>({ config: { dialect }, driver, dialect, executor });
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

  close(): void {
    this.#statements.clear();
    this.#log?.close();
    if (this.#database.isOpen) this.#database.close();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    // Requests on sockets that are readable in the same turn add their units first.
    setImmediate(() => void this.#commitGroups());
  }

  async #commitGroups(): Promise<void> {
    while (this.#waiting.length > 0) {
      const mayWait = this.#log?.isFlushing === true && !this.#isDue;
      if (mayWait && this.#waiting.length < FULL_GROUP) break;
      this.#isDue = false;
      await this.#commitGroup(this.#waiting.splice(0, GROUP_SIZE));
    }
    this.#isScheduled = false;
  }

  /** Runs each unit in a savepoint; a unit that is alone needs none, because the transaction is its own. */
  async #commitGroup(group: readonly Entry[]): Promise<void> {
    const { savepoint, release } = this.#commands;
    const isAlone = group.length === 1;
    const settle = (commitError?: unknown) => {
      for (const { result, resolve, reject } of group) {
        if (result !== undefined && 'error' in result) reject(result.error);
        else if (commitError === undefined) resolve(result?.value as never);
        else reject(commitError);
      }
    };
    try {
      await this.inTransaction(async () => {
        for (const entry of group) {
          if (!isAlone) this.run(savepoint, []);
          try {
            entry.result = { value: await entry.work(this.#trx) };
          } catch (error) {
            entry.result = { error };
            if (isAlone) throw error;
            this.run(this.#statement('rollback to unit'), []);
          }
          if (!isAlone) this.run(release, []);
        }
      });
    } catch (error) {
      return settle(error);
    }
    const flushed = this.#log?.flushed();
    if (flushed === undefined) settle();
    else void flushed.then(() => settle(), settle);
  }

  #driver(): Driver {
    const connection: DatabaseConnection = {
      executeQuery: async <R>({ sql, parameters }: CompiledQuery) =>
        (await this.runAlone(this.#statement(sql), parameters)) as QueryResult<R>,
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
      destroy: async () => this.close(),
    };
  }

  #statement(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.clear();
    const statement = this.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #rollBack(): void {
    try {
      this.run(this.#statement('rollback'), []);
    } catch {
      // SQLite has rolled it back itself, as when the disk is full, or the database is closed.
    }
  }
}

/** A prepared statement. */
class Statement {
  readonly sql: string;
  /** Whether it may change what is stored. */
  readonly isWrite: boolean;
  readonly #statement: StatementSync;
  /** Of the columns of its rows; none for a statement without rows. */
  readonly #names: readonly string[];

  constructor(statement: StatementSync, sql: string) {
    this.sql = sql;
    this.#statement = statement;
    this.#names = statement.columns().map(({ name }) => name);
    this.isWrite = /^(?:insert|update|delete)\b/i.test(sql);
    // As lists, because the objects that Node makes of the rows of a long page cost more than the query.
    if (this.#names.length > 0) statement.setReturnArrays(true);
  }

  run(parameters: readonly unknown[]): QueryResult<unknown> {
    const values = parameters as SQLInputValue[];
    const names = this.#names;
    if (names.length === 0) {
      return { rows: [], numAffectedRows: BigInt(this.#statement.run(...values).changes) };
    }
    const rows: Record<string, unknown>[] = [];
    for (const columns of this.#statement.all(...values) as unknown as unknown[][]) {
      const row: Record<string, unknown> = {};
      for (let index = 0; index < names.length; index += 1) row[names[index] as string] = columns[index];
      rows.push(row);
    }
    return { rows };
  }
}

/**
 * Flushes the log of a database to the disk beside the thread that runs the statements. SQLite itself would wait for the disk within each
 * commit; with `synchronous = NORMAL` it writes a commit to its log and leaves the flush to this.
 */
class CommitLog {
  /** Something was written for which no flush has begun. */
  isDirty = false;
  readonly #path: string;
  readonly #onFlushed: (failure?: Error) => void;
  #file: number | undefined;
  #running: PromiseWithResolvers<void> | undefined;
  /** The flush that begins when the running one has ended. */
  #next: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;

  constructor(path: string, onFlushed: (failure?: Error) => void) {
    this.#path = path;
    this.#onFlushed = onFlushed;
  }

  get isFlushing(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Resolves when what was written to the log before this call is on the disk; undefined when it is. After a flush that failed all others
   * fail: what the system has not written then it may never write, and without an error.
   */
  flushed(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (!this.isDirty) return (this.#next ?? this.#running)?.promise;
    this.isDirty = false;
    if (this.#running === undefined) return this.#start(Promise.withResolvers());
    this.#next ??= Promise.withResolvers();
    return this.#next.promise;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #start(flush: PromiseWithResolvers<void>): Promise<void> {
    this.#running = flush;
    try {
      this.#file ??= openSync(this.#path, 'r+');
      fdatasync(this.#file, (cause) => this.#end(flush, cause));
    } catch (error) {
      this.#end(flush, error);
    }
    return flush.promise;
  }

  #end({ resolve, reject }: PromiseWithResolvers<void>, cause: unknown): void {
    const next = this.#next;
    this.#next = undefined;
    this.#running = undefined;
    if (cause === null) {
      resolve();
      if (next !== undefined) void this.#start(next);
    } else {
      const text = 'The log of the database could not be written to the disk.';
      this.#failure = Object.assign(new Error(text, { cause }), { code: 'ERR_SQLITE_ERROR', errcode: 10 });
      reject(this.#failure);
      next?.reject(this.#failure);
    }
    this.#onFlushed(this.#failure);
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
