import type { Compilable, Kysely, QueryResult } from 'kysely';
import type { PlatformDatabase, PreparedQuery } from './platform-database.ts';
import type { Database } from './schema.ts';

const databases = new WeakMap<object, PlatformDatabase>();

export function rememberDatabase(database: PlatformDatabase): void {
  databases.set(database.query.getExecutor().adapter, database);
}

export function databaseOf(db: Kysely<Database>): PlatformDatabase {
  const database = databases.get(db.getExecutor().adapter);
  if (database === undefined) throw new Error('The database was not opened as a PlatformDatabase.');
  return database;
}

/** The same as `PlatformDatabase.prepare`, for rooms that still hold the query builder only. */
export function prepareQuery<Values extends object, Row>(
  build: (db: Kysely<Database>, values: Values) => Compilable<Row>,
): (db: Kysely<Database>, values: Values) => Promise<QueryResult<Row>> {
  const prepared = new WeakMap<PlatformDatabase, PreparedQuery<Values, Row>>();
  return (db, values) => {
    const database = databaseOf(db);
    const query = prepared.get(database) ?? database.prepare(build);
    prepared.set(database, query);
    return query(values, db);
  };
}
