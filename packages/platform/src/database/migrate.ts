import type { Kysely } from 'kysely';
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator } from 'kysely/migration';
import { errorFacts } from '../foreign-error.ts';
import { PlatformStartError } from '../platform-start-error.ts';
import { PLATFORM_VERSION } from '../telemetry/telemetry.ts';
import type { DatabaseDialect } from './dialect.ts';
import { migrationsOf } from './migrations.ts';
import type { Database } from './schema.ts';
import { isStatementError, OTHER_FOLDER, primaryCode } from './sqlite-errors.ts';

/** The table with the versions that migrated the database. */
export const VERSIONS_TABLE = 'schema_versions';
/** In every version of the schema. */
const OWN_TABLES = ['workspaces', 'activity', 'platform_meta'];

/** What a database says of itself. */
interface StoredSchema {
  /** Its file, if it has one. */
  readonly path?: string | undefined;
  readonly tables: readonly string[];
  /** Names of the migrations that ran. */
  readonly applied: readonly string[];
  /** Undefined before that was stored. */
  readonly writtenBy: string | undefined;
}

/** Why a database is not one of a platform, or undefined when it is one, or empty. */
export function whyForeign(
  path: string | undefined,
  tables: readonly string[],
  isMigrated = tables.includes(DEFAULT_MIGRATION_TABLE),
): PlatformStartError | undefined {
  const isEmpty = tables.every((name) => name.startsWith('sqlite_'));
  if (isEmpty || (isMigrated && OWN_TABLES.every((name) => tables.includes(name)))) return undefined;
  const database = path === undefined ? 'The database' : `The database ${path}`;
  return new PlatformStartError('data_incompatible', `${database} belongs to another application.`, {
    hint: `Give the folder of a platform, or ${OTHER_FOLDER}.`,
  });
}

/** Why this version cannot read a database, or undefined when it can, after the migrations that are missing. */
export function whyUnreadable(
  { path, tables, applied, writtenBy }: StoredSchema,
  known: readonly string[],
): PlatformStartError | undefined {
  const foreign = whyForeign(path, tables, applied.length > 0);
  if (foreign !== undefined) return foreign;
  if (applied.every((name) => known.includes(name))) return undefined;
  const isVersion = writtenBy !== undefined && /^[\w.+-]{1,64}$/.test(writtenBy);
  const writer = !isVersion || writtenBy === PLATFORM_VERSION ? 'another version' : `version ${writtenBy}`;
  return new PlatformStartError(
    'data_incompatible',
    `The stored data was written by ${writer} of the platform, and version ${PLATFORM_VERSION} cannot read it.`,
    {
      hint: `Install ${writer === 'another version' ? 'the version that wrote it' : `${writer} or newer`}, restore a backup from before the upgrade with molecule-platform restore, or ${OTHER_FOLDER}.`,
    },
  );
}

/**
 * Runs the missing migrations, all in one transaction where the database is SQLite: when one fails, the stored data is as
 * it was. Data of another application, or with an unknown migration, is refused and not changed.
 */
export async function migrate(db: Kysely<Database>, dialect: DatabaseDialect): Promise<void> {
  const migrations = migrationsOf(dialect);
  const names = Object.keys(migrations);
  const tables = (await db.introspection.getTables({ withInternalKyselyTables: true })).map(
    ({ name }) => name,
  );
  const applied = tables.includes(DEFAULT_MIGRATION_TABLE) ? await appliedMigrations(db) : [];
  const writtenBy = tables.includes(VERSIONS_TABLE) ? await storedVersion(db) : undefined;
  const refusal = whyUnreadable({ path: dialect.path, tables, applied, writtenBy }, names);
  if (refusal !== undefined) throw refusal;
  if (applied.length === names.length) return;
  const run = async (target: Kysely<Database>) => {
    await runMigrations(target, migrations);
    await storeVersion(target);
  };
  try {
    const { connection } = dialect;
    await (connection === undefined
      ? run(db)
      : connection.inTransaction(() => run(connection.newTransaction())));
  } catch (error) {
    if (primaryCode(error) !== undefined && !isStatementError(error)) throw error;
    throw new PlatformStartError(
      'data_incompatible',
      `The stored data could not be brought to version ${PLATFORM_VERSION}: ${errorFacts(error).message}.`,
      { hint: 'Nothing was changed: start the version that wrote it, and report this error.', cause: error },
    );
  }
}

/** Runs those of the migrations that have not run. */
export async function runMigrations(
  db: Kysely<Database>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<void> {
  const provider = { getMigrations: async () => ({ ...migrations }) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error !== undefined) throw error;
}

type MigrationTable = { [DEFAULT_MIGRATION_TABLE]: { name: string } };

async function appliedMigrations(db: Kysely<Database>): Promise<string[]> {
  const rows = await db.withTables<MigrationTable>().selectFrom('kysely_migration').select('name').execute();
  return rows.map(({ name }) => name);
}

async function storedVersion(db: Kysely<Database>): Promise<string | undefined> {
  const query = db.selectFrom('schema_versions').select('version').orderBy('migrated_at', 'desc');
  return (await query.limit(1).executeTakeFirst())?.version;
}

async function storeVersion(db: Kysely<Database>): Promise<void> {
  const migrated = { version: PLATFORM_VERSION, migrated_at: new Date().toISOString() };
  await db
    .insertInto('schema_versions')
    .values(migrated)
    .onConflict((conflict) => conflict.column('version').doUpdateSet(migrated))
    .execute();
}
