import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { migrationsOf } from './migrations.ts';
import type { Database } from './schema.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';

/** A table, index, trigger or view of a database. */
export interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/** All that SQLite has not made by itself. */
export const SCHEMA_OBJECTS =
  "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_stat_' ESCAPE '\\'";

/**
 * The first object that a database has and a platform does not make, or that it lacks, after these migrations; undefined
 * when it has exactly those of a platform. A trigger, a view or a check of another origin would run in the platform.
 */
export async function unexpectedObject(
  found: readonly SchemaObject[],
  applied: readonly string[],
): Promise<SchemaObject | undefined> {
  const expected = await schemaAfter(applied);
  const sameAs = ({ type, name, sql }: SchemaObject) => `${type} ${name} ${plain(sql)}`;
  const expectedKeys = new Set(expected.map(sameAs));
  const foundKeys = new Set(found.map(sameAs));
  return (
    found.find((object) => !expectedKeys.has(sameAs(object))) ??
    expected.find((object) => !foundKeys.has(sameAs(object)))
  );
}

/** Versions of the query builder may differ in quotes, in case and in white space. */
function plain(sql: string): string {
  return sql.toLowerCase().replaceAll(/["`\s]+/g, '');
}

async function schemaAfter(applied: readonly string[]): Promise<SchemaObject[]> {
  const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
  const { connection } = dialect;
  if (connection === undefined) throw new Error('SQLite has one connection.');
  const migrations = Object.entries(migrationsOf(dialect)).filter(([name]) => applied.includes(name));
  const db = new Kysely<Database>({ dialect: dialect.kysely });
  try {
    await connection.inTransaction(async () => {
      const provider = { getMigrations: async () => Object.fromEntries(migrations) };
      const { error } = await new Migrator({ db: connection.newTransaction(), provider }).migrateToLatest();
      if (error !== undefined) throw error;
    });
    return connection.runNow(SCHEMA_OBJECTS, []).rows as SchemaObject[];
  } finally {
    await db.destroy();
    await dialect.close();
  }
}
