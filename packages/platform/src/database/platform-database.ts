import { type Compilable, type CompiledQuery, Kysely, type QueryResult, type Transaction } from 'kysely';
import { errorFacts } from '../foreign-error.ts';
import { LatestMap } from '../latest-map.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import type { DatabaseDialect } from './dialect.ts';
import { migrate } from './migrate.ts';
import type { Database } from './schema.ts';

/** Runs queries: the database itself, or one open transaction (`unit.trx`). */
export type Queryable = Kysely<Database>;

/** One transaction and the tasks that run when it has ended. */
export class UnitOfWork {
  readonly trx: Transaction<Database>;
  /** When it began, in Unix milliseconds and as it is stored. */
  readonly now: number;
  readonly at: string;
  /**
   * Locks the rows of workspaces until this transaction ends, in the order of their ids. Call it with all of them before
   * reading what a decision depends on that more than one statement carries out, and before inserting a row into the feed of
   * a workspace: a reader that has read a row then never misses one with a lower `seq`. Undefined where there is one writer.
   */
  readonly lock: ((...workspaceIds: readonly string[]) => Promise<void>) | undefined;
  readonly #committed: (() => void)[] = [];
  readonly #rolledBack: (() => void)[] = [];

  constructor(trx: Transaction<Database>, now: number, lock: DatabaseDialect['lockWorkspaces']) {
    this.trx = trx;
    this.now = now;
    this.at = new Date(now).toISOString();
    this.lock = lock && ((...workspaceIds) => lock(trx, workspaceIds));
  }

  /** Runs after the commit, in order; never runs when the transaction fails. Must not throw. */
  afterCommit(task: () => void): void {
    this.#committed.push(task);
  }

  /** Runs when the transaction was rolled back. Must not throw. */
  onRollback(task: () => void): void {
    this.#rolledBack.push(task);
  }

  /** For the database: runs the tasks of the end. */
  end(isCommitted: boolean): void {
    for (const task of isCommitted ? this.#committed : this.#rolledBack) task();
  }
}

/** Compiled variants of one prepared query that are kept. */
const MAX_VARIANTS = 200;

/** A query that is built and compiled once and then run with different values. */
export type PreparedQuery<Values, Row> = (values: Values, db?: Queryable) => Promise<QueryResult<Row>>;

export interface PlatformDatabaseOptions {
  /** Called with each SQL text that runs; tests count statements with it. */
  readonly onQuery?: ((sql: string) => void) | undefined;
  readonly clock?: Clock;
}

/** The platform's database. Only `database/` knows which one it is. */
export class PlatformDatabase {
  /** Builds and runs queries outside a transaction. */
  readonly query: Queryable;
  readonly #dialect: DatabaseDialect;
  readonly #clock: Clock;
  #hasNoSpace = false;

  private constructor(
    db: Kysely<Database>,
    dialect: DatabaseDialect,
    { clock = systemClock, onQuery }: PlatformDatabaseOptions,
  ) {
    this.query = db;
    this.#dialect = dialect;
    this.#clock = clock;
    if (dialect.connection !== undefined) dialect.connection.onQuery = onQuery;
  }

  /** Connects and migrates the schema. When that fails, everything is closed again. */
  static async open(
    dialect: DatabaseDialect,
    options: PlatformDatabaseOptions = {},
  ): Promise<PlatformDatabase> {
    const db = new Kysely<Database>({ dialect: dialect.kysely });
    const database = new PlatformDatabase(db, dialect, options);
    try {
      await migrate(db, dialect);
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /**
   * Runs `work` in one transaction, then its after-commit tasks; an error rolls back all of it. Transactions that arrive together may
   * share one commit, so `work` may await nothing but the database.
   */
  async transaction<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const { connection, lockWorkspaces } = this.#dialect;
    let unit: UnitOfWork | undefined;
    const run = (trx: Transaction<Database>) => {
      unit = new UnitOfWork(trx, this.#clock.now(), lockWorkspaces);
      return work(unit);
    };
    let result: T;
    try {
      result = await (connection?.execute(run) ?? this.query.transaction().execute(run));
      this.#hasNoSpace = false;
    } catch (error) {
      if (this.isDiskFull(error)) this.#hasNoSpace = true;
      unit?.end(false);
      throw error;
    }
    unit?.end(true);
    return result;
  }

  /**
   * Prepares a query for code that runs for every message, where building and compiling would cost as much as running
   * it. `build` runs once, with placeholders for the values: it must not inspect them, so what changes the shape of a query, such as
   * `null` in a condition, cannot be a value, and the values have the same names each time. The query runs outside a
   * transaction unless `unit.trx` is passed.
   */
  prepare<Values extends object, Row>(
    build: (db: Queryable, values: Values) => Compilable<Row>,
  ): PreparedQuery<Values, Row> {
    let shape: CompiledShape<Row> | undefined;
    return (values, db = this.query) => {
      shape ??= this.#compile(build, values);
      return this.#run(shape, values, db);
    };
  }

  /** The same for a query whose values are not always all defined: `build` runs once for each set of those that are. */
  prepareVariants<Values extends object, Row>(
    build: (db: Queryable, values: Values) => Compilable<Row>,
  ): PreparedQuery<Values, Row> {
    const shapes = new LatestMap<string, CompiledShape<Row>>(MAX_VARIANTS);
    return (values, db = this.query) => {
      let key = '';
      for (const name in values) if (values[name] !== undefined) key += `${name},`;
      let shape = shapes.get(key);
      if (shape === undefined) {
        shape = this.#compile(build, values);
        shapes.set(key, shape);
      }
      return this.#run(shape, values, db);
    };
  }

  #compile<Values extends object, Row>(
    build: (db: Queryable, values: Values) => Compilable<Row>,
    values: Values,
  ): CompiledShape<Row> {
    const defined = Object.entries(values).filter(([, value]) => value !== undefined);
    const placeholders = defined.map(([name]) => [name, new Placeholder(name)]);
    const compiled = build(this.query, Object.fromEntries(placeholders) as Values).compile();
    const names = compiled.parameters.map((value) => (value instanceof Placeholder ? value.name : undefined));
    return { compiled, names, statement: this.#dialect.connection?.prepare(compiled.sql) };
  }

  async #run<Row>(shape: CompiledShape<Row>, values: object, db: Queryable): Promise<QueryResult<Row>> {
    const { compiled, names, statement } = shape;
    const parameters = [...compiled.parameters];
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index];
      if (name !== undefined) parameters[index] = values[name as never];
    }
    const { connection } = this.#dialect;
    if (statement === undefined || connection === undefined)
      return db.executeQuery({ ...compiled, parameters });
    const result = db.isTransaction
      ? connection.run(statement, parameters)
      : await connection.runAlone(statement, parameters);
    return result as QueryResult<Row>;
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

  /** Whether no other process uses the database while this one does. */
  get isExclusive(): boolean {
    return this.#dialect.connection !== undefined;
  }

  /** Resolves with the reason when the disk has not taken a commit: from then on nothing can be read or written. */
  get failed(): Promise<Error> {
    return this.#dialect.connection?.failed ?? new Promise(() => {});
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
  /** The same on the only connection, if there is one. */
  readonly statement: ReturnType<NonNullable<DatabaseDialect['connection']>['prepare']> | undefined;
}

/** Represents in a query a value that is known when it runs. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}
