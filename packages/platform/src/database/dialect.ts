import type { Dialect, Transaction } from 'kysely';
import type { SchemaDialect } from './migrations.ts';
import type { Database } from './schema.ts';
import type { SqliteConnection } from './sqlite-connection.ts';

/** Everything that differs between the databases. Only this folder knows which one is in use. */
export interface DatabaseDialect extends SchemaDialect {
  readonly kysely: Dialect;
  /** The file of an embedded database, for errors. */
  readonly path?: string;
  /**
   * The only connection, where there are not several. Transactions run one after another on it; those that arrive together share one commit
   * and one flush to the disk.
   */
  readonly connection?: SqliteConnection;
  /** `select … for update` of the rows of workspaces, in the order of their ids. Absent where there is one writer. */
  readonly lockWorkspaces?: (trx: Transaction<Database>, workspaceIds: readonly string[]) => Promise<void>;
  /** Whether the driver's error means that the database cannot be used now; false for a violated constraint. */
  isUnavailable(error: unknown): boolean;
  /** Whether the driver's error means that there is no space left for what was to be written. */
  isDiskFull(error: unknown): boolean;
  /** Closes what the dialect opened besides the Kysely driver. */
  close(): Promise<void>;
}
