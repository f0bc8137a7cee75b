import type { Compilable, CompiledQuery, Kysely, QueryResult } from 'kysely';
import type { DatabaseDialect } from './dialect.ts';
import type { Database } from './schema.ts';

/** A query that is built and compiled once and runs with other values each time. */
export type PreparedQuery<Values, Row> = (db: Kysely<Database>, values: Values) => Promise<QueryResult<Row>>;

interface Prepared<Row> {
  readonly compiled: CompiledQuery<Row>;
  /** For each parameter the name of its value, or undefined for one that is always the same. */
  readonly names: readonly (string | undefined)[];
}

type RunNow = NonNullable<DatabaseDialect['runNow']>;

const runners = new WeakMap<object, RunNow>();

/** From now on, prepared queries inside transactions on this database run at once, past the query builder. */
export function runPreparedNow(db: Kysely<Database>, runNow: RunNow): void {
  runners.set(db.getExecutor().adapter, runNow);
}

/** Stands in a query for a value that is known when it runs. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Prepares a query for the paths that every message takes, where building and compiling would cost as much as
 * running it. `build` runs once for each dialect and each set of value names, with placeholders for the values: it
 * may only hand them on, so what decides the shape of a query, such as `null` in a condition, is no value.
 */
export function prepareQuery<Values extends object, Row>(
  build: (db: Kysely<Database>, values: Values) => Compilable<Row>,
): PreparedQuery<Values, Row> {
  const dialects = new WeakMap<object, Map<string, Prepared<Row>>>();

  const find = (db: Kysely<Database>, values: Values): Prepared<Row> => {
    const { adapter } = db.getExecutor();
    const shapes = dialects.get(adapter) ?? new Map<string, Prepared<Row>>();
    dialects.set(adapter, shapes);
    const keys = Object.keys(values);
    const shape = keys.join();
    const known = shapes.get(shape);
    if (known !== undefined) return known;
    const placeholders = Object.fromEntries(keys.map((key) => [key, new Placeholder(key)])) as Values;
    const compiled = build(db, placeholders).compile();
    const names = compiled.parameters.map((value) => (value instanceof Placeholder ? value.name : undefined));
    const prepared = { compiled, names };
    shapes.set(shape, prepared);
    return prepared;
  };

  return async (db, values) => {
    const { compiled, names } = find(db, values);
    const { query, queryId, sql } = compiled;
    const parameters = names.map((name, index) =>
      name === undefined ? compiled.parameters[index] : Reflect.get(values, name),
    );
    const runNow = db.isTransaction ? runners.get(db.getExecutor().adapter) : undefined;
    if (runNow !== undefined) return runNow(sql, parameters) as QueryResult<Row>;
    return db.executeQuery<Row>({ query, queryId, sql, parameters });
  };
}
