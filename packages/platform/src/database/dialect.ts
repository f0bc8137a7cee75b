import type { Dialect } from 'kysely';

/** What differs between the databases, in one place: migrations and stores ask it, never the driver. */
export interface DatabaseDialect {
  readonly name: 'sqlite' | 'postgres';
  readonly kysely: Dialect;
  /** Column type of a `seq` primary key that the database assigns in insert order. */
  readonly sequenceType: 'integer' | 'bigserial';
  /** Releases what the dialect opened besides the Kysely driver. */
  close(): Promise<void>;
}
