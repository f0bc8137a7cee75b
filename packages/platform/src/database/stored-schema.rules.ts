import { PlatformStartError } from '../platform-start-error.ts';
import { PLATFORM_VERSION } from '../telemetry/telemetry.ts';
import { OTHER_FOLDER } from './sqlite-errors.ts';

/** The table with the versions that migrated the database. */
export const VERSIONS_TABLE = 'schema_versions';
/** In every version of the schema. */
const OWN_TABLES = ['workspaces', 'activity', 'platform_meta'];

/** What a database says of itself. */
export interface StoredSchema {
  /** Its file, if it has one. */
  readonly path?: string | undefined;
  readonly tables: readonly string[];
  /** Names of the migrations that ran. */
  readonly applied: readonly string[];
  /** Undefined before that was stored. */
  readonly writtenBy: string | undefined;
}

/** Why this version cannot read a database, or undefined when it can, after the migrations that are missing. */
export function whyUnreadable(
  { path, tables, applied, writtenBy }: StoredSchema,
  known: readonly string[],
): PlatformStartError | undefined {
  const isEmpty = tables.every((name) => name.startsWith('sqlite_'));
  if (isEmpty) return undefined;
  if (applied.length === 0 || !OWN_TABLES.every((name) => tables.includes(name))) {
    const database = path === undefined ? 'The database' : `The database ${path}`;
    return new PlatformStartError('data_incompatible', `${database} belongs to another application.`, {
      hint: `Give the folder of a platform, or ${OTHER_FOLDER}.`,
    });
  }
  if (applied.every((name) => known.includes(name))) return undefined;
  const isVersion = writtenBy !== undefined && /^[\w.+-]{1,64}$/.test(writtenBy);
  const writer = !isVersion || writtenBy === PLATFORM_VERSION ? 'a newer version' : `version ${writtenBy}`;
  return new PlatformStartError(
    'data_incompatible',
    `The stored data was written by ${writer} of the platform, and version ${PLATFORM_VERSION} cannot read it.`,
    {
      hint: `Install ${writer === 'a newer version' ? 'the version that wrote it' : `${writer} or newer`}, restore a backup from before the upgrade with molecule-platform restore, or ${OTHER_FOLDER}.`,
    },
  );
}
