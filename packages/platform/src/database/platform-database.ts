import { type Compilable, type CompiledQuery, Kysely, type QueryResult, type Transaction } from 'kysely';
import { errorFacts } from '../foreign-error.ts';
import { CommitGroups } from './commit-groups.ts';
import type { DatabaseDialect } from './dialect.ts';
import { migrate } from './migrate.ts';
import type { Database } from './schema.ts';

/** Runs queries: the database itself, or one open transaction (`unit.trx`). */
export type Queryable = Kysely<Database>;

/** One transaction and the tasks that run when it has ended. */
export interface UnitOfWork {
  readonly trx: Transaction<Database>;
  /** Runs after the commit, in order; never runs when the transaction fails. Must not throw. */
  afterCommit(task: () => void): void;
  /** Runs when the transaction was rolled back. Must not throw. */
  onRollback(task: () => void): void;
  /**
   * Locks the rows of workspaces until this transaction ends, in the order of their ids. Call it with all of them before
   * reading what a decision depends on that more than one statement carries out, and before inserting a row into the feed of
   * a workspace: a reader that has read a row then never misses one with a lower `seq`.
   */
  lock(...workspaceIds: readonly string[]): Promise<void>;
}

/** Compiled shapes of one prepared query that are kept. */
const MAX_SHAPES = 200;

/** A query that is built and compiled once and then run with different values. */
export type PreparedQuery<Values, Row> = (values: Values, db?: Queryable) => Promise<QueryResult<Row>>;

export interface PlatformDatabaseOptions {
  /** Called with each SQL text that runs; tests count statements with it. */
  readonly onQuery?: ((sql: string) => void) | undefined;
}

/** The platform's database. Only `database/` knows whether it is SQLite or Postgres. */
export class PlatformDatabase {
  /** Builds and runs queries outside a transaction. */
  readonly query: Queryable;
  readonly #dialect: DatabaseDialect;
  readonly #commitGroups: CommitGroups | undefined;
  #hasNoSpace = false;

  private constructor(db: Kysely<Database>, dialect: DatabaseDialect, onQuery?: (sql: string) => void) {
    const { connection } = dialect;
    this.query = db;
    this.#dialect = dialect;
    this.#commitGroups = connection === undefined ? undefined : new CommitGroups(connection);
    if (connection !== undefined) connection.onQuery = onQuery;
  }

  /** Connects and migrates the schema. When that fails, everything is closed again. */
  static async open(
    dialect: DatabaseDialect,
    { onQuery }: PlatformDatabaseOptions = {},
  ): Promise<PlatformDatabase> {
    const db = new Kysely<Database>({
      dialect: dialect.kysely,
      ...(onQuery === undefined
        ? {}
        : { log: (event) => (event.level === 'query' ? onQuery(event.query.sql) : undefined) }),
    });
    const database = new PlatformDatabase(db, dialect, onQuery);
    try {
      await migrate(db, dialect);
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /**
   * Runs `work` in one transaction, then its after-commit tasks; an error rolls back all of it. Transactions of the
   * same turn of the event loop may share one commit, so `work` may await nothing but the database.
   */
  async transaction<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const committed: (() => void)[] = [];
    const rolledBack: (() => void)[] = [];
    const run = (trx: Transaction<Database>) =>
      work({
        trx,
        afterCommit: (task) => void committed.push(task),
        onRollback: (task) => void rolledBack.push(task),
        lock: async (...workspaceIds) => this.#dialect.lockWorkspaces?.(trx, workspaceIds),
      });
    let result: T;
    try {
      result = await (this.#commitGroups?.execute(run) ?? this.query.transaction().execute(run));
      this.#hasNoSpace = false;
    } catch (error) {
      if (this.isDiskFull(error)) this.#hasNoSpace = true;
      for (const task of rolledBack) task();
      throw error;
    }
    for (const task of committed) task();
    return result;
  }

  /**
   * Prepares a query for code that runs for every message, where building and compiling would cost as much as running
   * it. `build` runs once for each set of value names, with placeholders for the values: it must not inspect them, so
   * what changes the shape of a query, such as `null` in a condition, cannot be a value. The query runs outside a
   * transaction unless `unit.trx` is passed.
   */
  prepare<Values extends object, Row>(
    build: (db: Queryable, values: Values) => Compilable<Row>,
  ): PreparedQuery<Values, Row> {
    const shapes = new Map<string, CompiledShape<Row>>();
    return async (values, db = this.query) => {
      const shape = Object.keys(values).join();
      let known = shapes.get(shape);
      if (known === undefined) {
        known = compileShape(this.query, build, values);
        shapes.set(shape, known);
        for (const oldest of shapes.keys()) {
          if (shapes.size <= MAX_SHAPES) break;
          shapes.delete(oldest);
        }
      }
      const { compiled, names } = known;
      const { query, queryId, sql } = compiled;
      const parameters = names.map((name, index) =>
        name === undefined ? compiled.parameters[index] : Reflect.get(values, name),
      );
      const { connection } = this.#dialect;
      if (connection !== undefined && (db.isTransaction || !connection.isInTransaction)) {
        return connection.runNow(sql, parameters) as QueryResult<Row>;
      }
      return db.executeQuery<Row>({ query, queryId, sql, parameters });
    };
  }

  /** Whether an error means that the database cannot be used at the moment, rather than a defect of the platform. */
  isUnavailable(error: unknown): boolean {
    if (errorFacts(error).message === 'driver has already been destroyed') return true;
    return this.#dialect.isUnavailable(error);
  }

  /** Whether an error means that there is no space left for what was to be written. */
  isDiskFull(error: unknown): boolean {
    return this.#dialect.isDiskFull(error);
  }

  /** Whether the last transaction failed for want of space. */
  get hasNoSpace(): boolean {
    return this.#hasNoSpace;
  }

  async close(): Promise<void> {
    await this.query.destroy();
    await this.#dialect.close();
  }
}

interface CompiledShape<Row> {
  readonly compiled: CompiledQuery<Row>;
  /** For each parameter the name of its value, or undefined for a constant. */
  readonly names: readonly (string | undefined)[];
}

/** Represents in a query a value that is known when it runs. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

function compileShape<Values extends object, Row>(
  db: Queryable,
  build: (db: Queryable, values: Values) => Compilable<Row>,
  values: Values,
): CompiledShape<Row> {
  const placeholders = Object.keys(values).map((name) => [name, new Placeholder(name)]);
  const compiled = build(db, Object.fromEntries(placeholders) as Values).compile();
  const names = compiled.parameters.map((value) => (value instanceof Placeholder ? value.name : undefined));
  return { compiled, names };
}
