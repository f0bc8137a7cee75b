import type { Dialect, QueryResult } from 'kysely';

/** What differs between the databases, in one place: migrations and stores ask it, never the driver. */
export interface DatabaseDialect {
  readonly name: 'sqlite' | 'postgres';
  readonly kysely: Dialect;
  /** Column type of a `seq` primary key that the database assigns in insert order. */
  readonly sequenceType: 'integer' | 'bigserial';
  /**
   * Runs a query at once on the one connection there is. Left out where there are several. Only for whoever holds
   * that connection: inside a transaction.
   */
  readonly runNow?: (sql: string, parameters: readonly unknown[]) => QueryResult<unknown>;
  /** Releases what the dialect opened besides the Kysely driver. */
  close(): Promise<void>;
}
