import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Questions of agents, and the messages with their answers, which continue the messages that raised them. */
export const questionsMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('activity').addColumn('continues_id', 'text').execute();
    await db.schema.alterTable('activity').addColumn('continued_by', 'text').execute();
    await db.schema
      .createTable('questions')
      .addColumn('workspace_id', 'text', (column) =>
        column.notNull().references('workspaces.id').onDelete('cascade'),
      )
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('activity_id', 'text', (column) =>
        column.notNull().references('activity.id').onDelete('cascade'),
      )
      .addColumn('message_id', 'text', (column) => column.notNull())
      .addColumn('context_id', 'text', (column) => column.notNull())
      .addColumn('conversation_id', 'text', (column) => column.notNull())
      .addColumn('source_id', 'text')
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('text', 'text', (column) => column.notNull())
      .addColumn('data', 'text')
      .addColumn('asked_of', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('decision', 'text')
      .addColumn('answer', 'text')
      .addColumn('answered_by', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('answered_at', 'text')
      .addPrimaryKeyConstraint('questions_key', ['workspace_id', 'id'])
      .execute();
    await db.schema
      .createIndex('questions_by_message')
      .on('questions')
      .columns(['activity_id', 'position'])
      .execute();
    await db.schema
      .createIndex('questions_by_time')
      .on('questions')
      .columns(['workspace_id', 'created_at', 'position'])
      .execute();
    await db.schema
      .createIndex('questions_by_state')
      .on('questions')
      .columns(['workspace_id', 'state', 'created_at', 'position'])
      .execute();
  },
};
