import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What led to a message, so that agents which call each other without end are stopped. */
export const messagePathsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('activity')
      .addColumn('hops', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
    await db.schema.alterTable('activity').addColumn('path', 'text').execute();
    await db.schema
      .alterTable('activity')
      .addColumn('turns', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
    await db.schema.alterTable('activity').addColumn('path_origin', 'text').execute();
    // With the columns that counting needs, so that it reads no rows.
    await db.schema
      .createIndex('activity_by_path_origin')
      .on('activity')
      .columns(['path_origin', 'turns', 'answers_id'])
      .where(sql.ref('path_origin'), 'is not', null)
      .execute();
    // The message id first: the same index also finds a message of whichever caller on the feed of its target.
    await db.schema.dropIndex('activity_by_caller').execute();
    await db.schema
      .createIndex('activity_by_message_id')
      .unique()
      .on('activity')
      .columns(['message_id', 'caller'])
      .where(sql.ref('message_id'), 'is not', null)
      .execute();
  },
};
