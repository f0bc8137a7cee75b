import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What migrations need of a dialect. */
export interface SchemaDialect {
  readonly name: 'sqlite' | 'postgres';
  /** Column type of a `seq` primary key that the database assigns in insert order. */
  readonly sequenceType: 'integer' | 'bigserial';
}

/** All migrations by name, in their order. A released one never changes. */
export function migrationsOf(dialect: SchemaDialect): Readonly<Record<string, Migration>> {
  return { '0001-schema': statements(...schema(dialect)) };
}

/** A migration of SQL statements that SQLite and Postgres both read. */
function statements(...texts: readonly string[]): Migration {
  return {
    up: async (db) => {
      for (const text of texts) await sql.raw(text).execute(db);
    },
  };
}

function schema({ name, sequenceType }: SchemaDialect): readonly string[] {
  const sequence = `${sequenceType} primary key${name === 'sqlite' ? ' autoincrement' : ''}`;
  return [
    `create table "workspaces" (
      "id" text primary key, "name" text not null, "role" text, "tier" integer not null, "status" text not null,
      "runtime" text not null, "agent_card" text, "url" text, "delivery_mode" text not null,
      "parent_id" text references "workspaces" ("id") on delete set null, "claimed_at" text,
      "last_heartbeat_at" text, "last_error_rate" double precision default 0 not null,
      "last_sample_error" text default '' not null, "active_tasks" integer default 0 not null,
      "max_concurrent_tasks" integer default 1 not null, "uptime_seconds" double precision default 0 not null,
      "current_task" text default '' not null, "runtime_state" text default '' not null,
      "runtime_metadata" text, "monthly_spend" double precision default 0 not null,
      "budget_limit" double precision, "last_outbound_at" text, "acknowledged_seq" bigint default 0 not null,
      "acknowledged_at" text, "read_seq" bigint default 0 not null, "visible_seq" bigint,
      "own_bytes" bigint default 0 not null, "x" double precision default 0 not null,
      "y" double precision default 0 not null, "collapsed" integer default 0 not null, "workspace_dir" text,
      "paused_by" text, "paused_with" text, "created_at" text not null, "updated_at" text not null,
      "removed_at" text)`,
    'create index "workspaces_by_parent" on "workspaces" ("parent_id")',
    'create index "workspaces_by_liveness" on "workspaces" ("status", "last_heartbeat_at")',
    `create table "workspace_tokens" (
      "id" text primary key, "workspace_id" text not null references "workspaces" ("id") on delete cascade,
      "token_hash" text not null unique, "prefix" text not null, "origin" text not null,
      "created_at" text not null, "last_used_at" text, "revoked_at" text)`,
    'create index "workspace_tokens_by_workspace" on "workspace_tokens" ("workspace_id", "revoked_at")',
    `create table "sessions" (
      "token_hash" text primary key, "created_at" text not null, "expires_at" text not null)`,
    `create table "reader_identities" (
      "workspace_id" text primary key references "workspaces" ("id") on delete cascade,
      "instance_id" text, "superseded" text not null)`,
    // The long texts are the last columns, because SQLite reads all of a long text to get at a column behind it.
    `create table "activity" (
      "seq" ${sequence}, "id" text not null unique,
      "workspace_id" text references "workspaces" ("id") on delete cascade, "caller" text not null,
      "direction" text not null, "activity_type" text not null, "method" text, "source_id" text,
      "target_id" text, "peer_id" text, "message_id" text, "context_id" text, "conversation_id" text,
      "trace_id" text, "in_reply_to" text, "summary" text, "status" text not null, "error_detail" text,
      "duration_ms" double precision, "idempotency_key" text, "delivery_state" text not null, "body_hash" text,
      "answers_id" text, "continues_id" text, "continued_by" text, "hops" integer not null, "path" text,
      "turns" integer not null, "path_origin" text, "agent_task_id" text, "attempts" integer not null,
      "next_attempt_at" text, "lease_owner" text, "lease_until" text, "failure" text,
      "caller_receipt" text not null, "expires_at" text, "changed_at" text not null, "ended_at" text,
      "created_at" text not null, "passed_headers" text, "tool_trace" text, "compact_row" text,
      "request_body" text, "response_body" text)`,
    // One index for each order in which a feed is read; its last column is that order. Each index costs a page write in
    // every commit, so columns with few values have none and are filtered.
    'create index "activity_by_seq" on "activity" ("workspace_id", "seq")',
    'create index "activity_by_type" on "activity" ("workspace_id", "activity_type", "seq")',
    'create index "activity_by_peer" on "activity" ("workspace_id", "peer_id", "seq")',
    'create index "activity_by_conversation" on "activity" ("workspace_id", "conversation_id", "seq")',
    'create index "activity_by_time" on "activity" ("workspace_id", "created_at", "seq")',
    'create index "activity_by_peer_time" on "activity" ("workspace_id", "peer_id", "created_at", "seq")',
    `create index "activity_by_delivery" on "activity" ("workspace_id", "delivery_state", "seq")
      where "delivery_state" in ('pending', 'leased')`,
    // A message is stored once for its caller and message id. In a unique index two nulls are different. The message id is first, so that
    // the same index also finds a message of whichever caller on the feed of its target.
    `create unique index "activity_by_message_id" on "activity" ("message_id", "caller")
      where "message_id" is not null`,
    // The messages that a workspace sent, by state, for its list. Answers are not in it: their questions are on another's.
    `create index "activity_by_sender" on "activity" ("caller", "delivery_state", "changed_at", "seq")
      where message_id is not null and answers_id is null`,
    `create index "activity_by_agent_task" on "activity" ("agent_task_id", "caller", "workspace_id", "seq")
      where "agent_task_id" is not null`,
    // With the columns that counting needs, so that it reads no rows.
    `create index "activity_by_path_origin" on "activity" ("path_origin", "turns", "answers_id")
      where "path_origin" is not null`,
    'create index "activity_by_expiry" on "activity" ("expires_at") where "expires_at" is not null',
    `create index "activity_by_caller_receipt" on "activity" ("id") where "caller_receipt" = 'sent'`,
    `create unique index "activity_by_idempotency_key" on "activity" ("workspace_id", "idempotency_key")
      where "idempotency_key" is not null`,
    `create table "questions" (
      "workspace_id" text not null references "workspaces" ("id") on delete cascade, "id" text not null,
      "position" integer not null, "activity_id" text not null references "activity" ("id") on delete cascade,
      "message_id" text not null, "context_id" text not null, "conversation_id" text not null,
      "source_id" text, "kind" text not null, "text" text not null, "data" text, "asked_of" text not null,
      "state" text not null, "decision" text, "answer" text, "answered_by" text, "created_at" text not null,
      "answered_at" text, constraint "questions_key" primary key ("workspace_id", "id"))`,
    'create index "questions_by_message" on "questions" ("activity_id", "position")',
    'create index "questions_by_time" on "questions" ("workspace_id", "created_at", "position")',
    'create index "questions_by_state" on "questions" ("workspace_id", "state", "created_at", "position")',
    `create table "control_rows" (
      "seq" ${sequence}, "workspace_id" text not null references "workspaces" ("id") on delete cascade,
      "activity_id" text not null, "message_id" text not null, "created_at" text not null)`,
    'create index "control_rows_by_workspace" on "control_rows" ("workspace_id", "seq")',
    'create index "control_rows_by_time" on "control_rows" ("created_at")',
    `create table "events" (
      "seq" ${sequence}, "id" text not null, "event_type" text not null, "workspace_id" text,
      "activity_seq" bigint, "payload" text, "created_at" text not null)`,
    'create table "platform_meta" ("key" text primary key, "value" text not null)',
    // Which versions of the platform have migrated the database, so that another one can name them.
    'create table "schema_versions" ("version" text primary key, "migrated_at" text not null)',
  ];
}
