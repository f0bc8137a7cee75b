import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Migration } from 'kysely/migration';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openFolder } from '../../test/resources-of-test.ts';
import { PLATFORM_VERSION } from '../telemetry/telemetry.ts';
import * as migrations from './migrations.ts';
import { PlatformDatabase } from './platform-database.ts';
import { openSqliteDialect } from './sqlite-dialect.ts';
import { toStartError } from './sqlite-errors.ts';

const { migrationsOf } = migrations;
const REAL = migrationsOf({ name: 'sqlite', sequenceType: 'integer' });

/** A later version has this migration as well. */
function addMigration(up: Migration['up']): void {
  const spy = vi.spyOn(migrations, 'migrationsOf').mockReturnValue({ ...REAL, '0002-later': { up } });
  onTestFinished(() => spy.mockRestore());
}

async function openDatabase(path: string): Promise<PlatformDatabase> {
  const dialect = await openSqliteDialect({ path, synchronous: 'normal' });
  return PlatformDatabase.open(dialect);
}

/** A database as this version leaves it, with one workspace and one message. */
async function usedDatabase(): Promise<string> {
  const path = join(openFolder(), 'platform.db');
  await (await openDatabase(path)).close();
  const file = new DatabaseSync(path);
  insertRow(file, 'workspaces', { id: 'w1', name: 'the agent', status: 'paused' });
  insertRow(file, 'activity', {
    id: 'a1',
    workspace_id: 'w1',
    message_id: 'm1',
    request_body: '{"text":"hello"}',
  });
  file.close();
  return path;
}

/** A row with these values, and something in each further column that must have a value. */
function insertRow(file: DatabaseSync, table: string, values: Record<string, string>): void {
  const columns = file
    .prepare('SELECT name, type, "notnull" AS required, dflt_value AS fallback, pk FROM pragma_table_info(?)')
    .all(table);
  const given = columns.filter(
    ({ name, required, fallback, pk }) =>
      values[String(name)] !== undefined || (required && fallback === null && !pk),
  );
  const names = given.map(({ name }) => String(name));
  const parameters = given.map(
    ({ name, type }) => values[String(name)] ?? (type === 'text' ? '2026-01-01T00:00:00.000Z' : 0),
  );
  file
    .prepare(`INSERT INTO ${table} (${names.join()}) VALUES (${names.map(() => '?').join()})`)
    .run(...parameters);
}

function schemaOf(path: string): unknown[] {
  const file = new DatabaseSync(path, { readOnly: true });
  const columns = file
    .prepare(`SELECT m.type, m.name, group_concat(c.name || ' ' || c.type || ' ' || c."notnull") AS columns
      FROM sqlite_master AS m LEFT JOIN pragma_table_info(m.name) AS c GROUP BY m.type, m.name ORDER BY m.type, m.name`)
    .all();
  file.close();
  return columns;
}

it('a database of an earlier version is brought to this one, with its rows', async () => {
  const path = await usedDatabase();
  addMigration((db) => db.schema.alterTable('activity').addColumn('more', 'text').execute());
  const database = await openDatabase(path);
  const rows = await database.query.selectFrom('activity').selectAll().execute();
  expect(rows).toEqual([expect.objectContaining({ id: 'a1', request_body: '{"text":"hello"}', more: null })]);
  const versions = await database.query.selectFrom('schema_versions').select('version').execute();
  expect(versions).toEqual([{ version: PLATFORM_VERSION }]);
  await database.close();
});

it('a migration that fails leaves the database as it was', async () => {
  const path = await usedDatabase();
  const before = schemaOf(path);
  addMigration(async (db) => {
    await db.schema.createTable('half').addColumn('id', 'text').execute();
    await db.schema.alterTable('activity').addColumn('hops', 'integer').execute();
  });
  await expect(openDatabase(path)).rejects.toMatchObject({
    name: 'PlatformStartError',
    code: 'data_incompatible',
    message: expect.stringMatching(/could not be brought to version .*: duplicate column name: hops\.$/),
    hint: expect.stringContaining('Nothing was changed'),
  });
  expect(schemaOf(path)).toEqual(before);
  vi.restoreAllMocks();
  await (await openDatabase(path)).close();
});

it('a disk that is full is the reason why a migration, or a start, fails', () => {
  const file = new DatabaseSync(':memory:');
  onTestFinished(() => file.close());
  file.exec('CREATE TABLE t (x); PRAGMA max_page_count = 3');
  const write = () => file.exec(`INSERT INTO t VALUES ('${'x'.repeat(100_000)}')`);
  const thrown = (() => {
    try {
      return write();
    } catch (error) {
      return error;
    }
  })();
  expect(toStartError(thrown, '/data/platform.db')).toMatchObject({
    code: 'data_folder_unusable',
    message: '/data/platform.db cannot be used: the disk is full.',
    hint: expect.stringContaining('Free space'),
  });
  expect(
    toStartError(Object.assign(new Error('no space'), { code: 'ENOSPC' }), '/data/operator-key'),
  ).toMatchObject({
    message: '/data/operator-key cannot be used: the disk is full.',
  });
});
