import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { SchemaDialect } from '../dialect.ts';

/** Reports to an agent outside its feed: messages that were canceled while it may be handling them. */
export function controlRowsMigration(dialect: SchemaDialect): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('control_rows')
        .addColumn('seq', dialect.sequenceType, (column) =>
          dialect.name === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey(),
        )
        .addColumn('workspace_id', 'text', (column) =>
          column.notNull().references('workspaces.id').onDelete('cascade'),
        )
        .addColumn('activity_id', 'text', (column) => column.notNull())
        .addColumn('message_id', 'text', (column) => column.notNull())
        .addColumn('created_at', 'text', (column) => column.notNull())
        .execute();
      await db.schema
        .createIndex('control_rows_by_workspace')
        .on('control_rows')
        .columns(['workspace_id', 'seq'])
        .execute();
      await db.schema.createIndex('control_rows_by_time').on('control_rows').column('created_at').execute();
    },
  };
}
