import type { Kysely } from 'kysely';
import type { UnitOfWork } from './platform-database.ts';
import { databaseOf } from './prepared-query.ts';
import type { Database } from './schema.ts';

export type { UnitOfWork } from './platform-database.ts';

/** The same as `PlatformDatabase.transaction`, for rooms that still hold the query builder only. */
export function inTransaction<T>(db: Kysely<Database>, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
  return databaseOf(db).transaction(work);
}
