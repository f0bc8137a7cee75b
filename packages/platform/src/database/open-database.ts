import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import type { DatabaseDialect } from './dialect.ts';
import { firstMigration } from './migrations/0001-first.ts';
import { runPreparedNow } from './prepared-query.ts';
import type { Database } from './schema.ts';
import { shareCommits } from './unit-of-work.ts';

export interface OpenDatabase {
  readonly db: Kysely<Database>;
  readonly dialect: DatabaseDialect;
  close(): Promise<void>;
}

export interface OpenDatabaseOptions {
  /** Called with each SQL text that runs; the tests count statements with it. */
  readonly onQuery?: (sql: string) => void;
}

/** Connects, brings the schema up to date and answers the query builder. Fails as a whole. */
export async function openDatabase(
  dialect: DatabaseDialect,
  options: OpenDatabaseOptions = {},
): Promise<OpenDatabase> {
  const onQuery = options.onQuery;
  const db = new Kysely<Database>({
    dialect: dialect.kysely,
    ...(onQuery === undefined
      ? {}
      : {
          log: (event) => {
            if (event.level === 'query') onQuery(event.query.sql);
          },
        }),
  });
  const close = async () => {
    await db.destroy();
    await dialect.close();
  };
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ '0001-first': firstMigration(dialect) }) },
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    await close();
    throw error;
  }
  if (dialect.name === 'sqlite') shareCommits(db);
  const { runNow } = dialect;
  if (runNow !== undefined) {
    runPreparedNow(db, (sql, parameters) => {
      onQuery?.(sql);
      return runNow(sql, parameters);
    });
  }
  return { db, dialect, close };
}
