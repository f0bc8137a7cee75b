import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The task that an agent answered with, by the agent's own id. Answers stored before have none. */
export const agentTasksMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('activity').addColumn('agent_task_id', 'text').execute();
    await db.schema
      .createIndex('activity_by_agent_task')
      .on('activity')
      .columns(['agent_task_id', 'caller', 'workspace_id', 'seq'])
      .where(sql.ref('agent_task_id'), 'is not', null)
      .execute();
  },
};
