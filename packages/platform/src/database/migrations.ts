import { type ColumnDefinitionBuilder, type Kysely, type SqlBool, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { SchemaDialect } from './dialect.ts';

/** The schema of the first release, written with Kysely's builder only, so that it runs on SQLite and Postgres. */
export function initialMigration(dialect: SchemaDialect): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await createWorkspaces(db);
      await createFeed(db, dialect);
      await db.schema
        .createTable('events')
        .addColumn('seq', dialect.sequenceType, (column) => sequence(column, dialect))
        .addColumn('id', 'text', (column) => column.notNull())
        .addColumn('event_type', 'text', (column) => column.notNull())
        .addColumn('workspace_id', 'text')
        .addColumn('activity_seq', 'bigint')
        .addColumn('payload', 'text')
        .addColumn('created_at', 'text', (column) => column.notNull())
        .execute();
      await db.schema
        .createIndex('events_by_workspace')
        .on('events')
        .columns(['workspace_id', 'seq'])
        .execute();
      await db.schema
        .createTable('platform_meta')
        .addColumn('key', 'text', (column) => column.primaryKey())
        .addColumn('value', 'text', (column) => column.notNull())
        .execute();
    },
  };
}

function sequence(column: ColumnDefinitionBuilder, dialect: SchemaDialect): ColumnDefinitionBuilder {
  return dialect.name === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey();
}

async function createWorkspaces(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('workspaces')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('role', 'text')
    .addColumn('tier', 'integer', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('runtime', 'text', (column) => column.notNull())
    .addColumn('agent_card', 'text')
    .addColumn('url', 'text')
    .addColumn('delivery_mode', 'text', (column) => column.notNull())
    .addColumn('parent_id', 'text', (column) => column.references('workspaces.id').onDelete('set null'))
    .addColumn('claimed_at', 'text')
    .addColumn('last_heartbeat_at', 'text')
    .addColumn('last_error_rate', 'double precision', (column) => column.notNull().defaultTo(0))
    .addColumn('last_sample_error', 'text', (column) => column.notNull().defaultTo(''))
    .addColumn('active_tasks', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('max_concurrent_tasks', 'integer', (column) => column.notNull().defaultTo(1))
    .addColumn('uptime_seconds', 'double precision', (column) => column.notNull().defaultTo(0))
    .addColumn('current_task', 'text', (column) => column.notNull().defaultTo(''))
    .addColumn('runtime_state', 'text', (column) => column.notNull().defaultTo(''))
    .addColumn('runtime_metadata', 'text')
    .addColumn('monthly_spend', 'double precision', (column) => column.notNull().defaultTo(0))
    .addColumn('budget_limit', 'double precision')
    .addColumn('last_outbound_at', 'text')
    .addColumn('acknowledged_seq', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('x', 'double precision', (column) => column.notNull().defaultTo(0))
    .addColumn('y', 'double precision', (column) => column.notNull().defaultTo(0))
    .addColumn('collapsed', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('workspace_dir', 'text')
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .addColumn('removed_at', 'text')
    .execute();
  await db.schema.createIndex('workspaces_by_parent').on('workspaces').column('parent_id').execute();
  await db.schema
    .createIndex('workspaces_by_liveness')
    .on('workspaces')
    .columns(['status', 'last_heartbeat_at'])
    .execute();

  await db.schema
    .createTable('workspace_tokens')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('workspace_id', 'text', (column) =>
      column.notNull().references('workspaces.id').onDelete('cascade'),
    )
    .addColumn('token_hash', 'text', (column) => column.notNull().unique())
    .addColumn('prefix', 'text', (column) => column.notNull())
    .addColumn('origin', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('last_used_at', 'text')
    .addColumn('revoked_at', 'text')
    .execute();
  await db.schema
    .createIndex('workspace_tokens_by_workspace')
    .on('workspace_tokens')
    .columns(['workspace_id', 'revoked_at'])
    .execute();

  await db.schema
    .createTable('sessions')
    .addColumn('token_hash', 'text', (column) => column.primaryKey())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .execute();
}

async function createFeed(db: Kysely<unknown>, dialect: SchemaDialect): Promise<void> {
  await db.schema
    .createTable('activity')
    .addColumn('seq', dialect.sequenceType, (column) => sequence(column, dialect))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('workspace_id', 'text', (column) => column.references('workspaces.id').onDelete('cascade'))
    .addColumn('caller', 'text', (column) => column.notNull())
    .addColumn('direction', 'text', (column) => column.notNull())
    .addColumn('activity_type', 'text', (column) => column.notNull())
    .addColumn('method', 'text')
    .addColumn('source_id', 'text')
    .addColumn('target_id', 'text')
    .addColumn('peer_id', 'text')
    .addColumn('message_id', 'text')
    .addColumn('context_id', 'text')
    .addColumn('conversation_id', 'text')
    .addColumn('trace_id', 'text')
    .addColumn('in_reply_to', 'text')
    .addColumn('summary', 'text')
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('error_detail', 'text')
    .addColumn('duration_ms', 'double precision')
    .addColumn('idempotency_key', 'text')
    .addColumn('delivery_state', 'text', (column) => column.notNull())
    .addColumn('body_hash', 'text')
    .addColumn('answers_id', 'text')
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('next_attempt_at', 'text')
    .addColumn('lease_owner', 'text')
    .addColumn('lease_until', 'text')
    .addColumn('failure', 'text')
    .addColumn('caller_receipt', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text')
    .addColumn('changed_at', 'text', (column) => column.notNull())
    .addColumn('ended_at', 'text')
    .addColumn('created_at', 'text', (column) => column.notNull())
    // Last, because SQLite reads all of a long text to get at a column behind it.
    .addColumn('tool_trace', 'text')
    .addColumn('request_body', 'text')
    .addColumn('response_body', 'text')
    .execute();
  // One index for each order in which a feed is read; its last column is that order. Each index costs a page write in
  // every commit, so columns with few values have none and are filtered.
  const feedIndexes = {
    activity_by_seq: ['workspace_id', 'seq'],
    activity_by_type: ['workspace_id', 'activity_type', 'seq'],
    activity_by_peer: ['workspace_id', 'peer_id', 'seq'],
    activity_by_conversation: ['workspace_id', 'conversation_id', 'seq'],
    activity_by_time: ['workspace_id', 'created_at', 'seq'],
    activity_by_peer_time: ['workspace_id', 'peer_id', 'created_at', 'seq'],
  };
  for (const [name, columns] of Object.entries(feedIndexes)) {
    await db.schema.createIndex(name).on('activity').columns(columns).execute();
  }
  await db.schema
    .createIndex('activity_by_delivery')
    .on('activity')
    .columns(['workspace_id', 'delivery_state', 'seq'])
    .where(sql.ref('delivery_state'), 'in', sql`('pending', 'leased')`)
    .execute();
  // A message is stored once for its caller and message id. In a unique index two nulls are different.
  await db.schema
    .createIndex('activity_by_caller')
    .unique()
    .on('activity')
    .columns(['caller', 'message_id'])
    .where(sql.ref('message_id'), 'is not', null)
    .execute();
  // The messages that a workspace sent, by state, for its list. Answers are not in it: their questions are on another's.
  await db.schema
    .createIndex('activity_by_sender')
    .on('activity')
    .columns(['caller', 'delivery_state', 'changed_at', 'seq'])
    .where(sql<SqlBool>`message_id is not null and answers_id is null`)
    .execute();
  await db.schema
    .createIndex('activity_by_expiry')
    .on('activity')
    .column('expires_at')
    .where(sql.ref('expires_at'), 'is not', null)
    .execute();
  await db.schema
    .createIndex('activity_by_caller_receipt')
    .on('activity')
    .column('id')
    .where(sql.ref('caller_receipt'), '=', sql`'sent'`)
    .execute();
  await db.schema
    .createIndex('activity_by_idempotency_key')
    .unique()
    .on('activity')
    .columns(['workspace_id', 'idempotency_key'])
    .where(sql.ref('idempotency_key'), 'is not', null)
    .execute();
}

/** Which running agent reads the feed of a workspace, so that it is known after a restart of the platform. */
export const readerIdentitiesMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema
      .createTable('reader_identities')
      .addColumn('workspace_id', 'text', (column) =>
        column.primaryKey().references('workspaces.id').onDelete('cascade'),
      )
      .addColumn('instance_id', 'text')
      .addColumn('superseded', 'text', (column) => column.notNull())
      .execute();
  },
};

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

/** Who paused a workspace, and with which one; null for a workspace that is not paused, or was paused before this. */
export const pausesMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('workspaces').addColumn('paused_by', 'text').execute();
    await db.schema.alterTable('workspaces').addColumn('paused_with', 'text').execute();
  },
};

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

/** What a compact row of a message begins with, so that a page need not parse its request and reads few columns. */
export const compactRowsMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('activity').addColumn('compact_row', 'text').execute();
  },
};

/** The headers of a message's request that are passed on with each push of it. */
export const passedHeadersMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.alterTable('activity').addColumn('passed_headers', 'text').execute();
  },
};

/** How much each workspace has stored by writing to its own feed. */
export const ownBytesMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema
      .alterTable('workspaces')
      .addColumn('own_bytes', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await sql`
      update workspaces set own_bytes = coalesce((
        select sum(512 + octet_length(coalesce(request_body, '')) + octet_length(coalesce(response_body, ''))
          + octet_length(coalesce(summary, '')) + octet_length(coalesce(error_detail, '')))
        from activity
        where workspace_id = workspaces.id and caller = workspaces.id and message_id is null
      ), 0)`.execute(db);
  },
};

/** How far agents have read, when they acknowledged last, and what a paused workspace sees of its feed. */
export const readingPositionsMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema
      .alterTable('workspaces')
      .addColumn('read_seq', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await db.schema.alterTable('workspaces').addColumn('acknowledged_at', 'text').execute();
    await db.schema.alterTable('workspaces').addColumn('visible_seq', 'bigint').execute();
    await sql`
      update workspaces set visible_seq = coalesce((
        select max(seq) from activity where workspace_id = workspaces.id
      ), 0) where status = 'paused'`.execute(db);
  },
};

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

/** Messages that agents received directly no longer use the message ids of their senders. */
export const directCallersMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql`
      update activity set caller = 'direct:' || target_id || ':' || source_id
      where activity_type = 'task_update' and message_id is not null and source_id is not null`.execute(db);
  },
};

/** Which versions of the platform have migrated the database, so that an older one can name them. */
export const schemaVersionsMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema
      .createTable('schema_versions')
      .addColumn('version', 'text', (column) => column.primaryKey())
      .addColumn('migrated_at', 'text', (column) => column.notNull())
      .execute();
  },
};

/** Nothing reads the events of one workspace; the index was written with each message. */
const eventIndexMigration: Migration = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await db.schema.dropIndex('events_by_workspace').execute();
  },
};

/** All migrations by name, in their order. A released one never changes. */
export function migrationsOf(dialect: SchemaDialect): Readonly<Record<string, Migration>> {
  return {
    '0001-initial': initialMigration(dialect),
    '0002-reader-identities': readerIdentitiesMigration,
    '0003-control-rows': controlRowsMigration(dialect),
    '0004-pauses': pausesMigration,
    '0004-questions': questionsMigration,
    '0005-message-paths': messagePathsMigration,
    '0006-compact-rows': compactRowsMigration,
    '0007-passed-headers': passedHeadersMigration,
    '0008-own-bytes': ownBytesMigration,
    '0009-reading-positions': readingPositionsMigration,
    '0010-agent-tasks': agentTasksMigration,
    '0011-direct-callers': directCallersMigration,
    '0012-schema-versions': schemaVersionsMigration,
    '0013-event-index': eventIndexMigration,
  };
}
