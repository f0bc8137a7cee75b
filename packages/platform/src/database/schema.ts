import type { Generated, Insertable, Selectable, Updateable } from 'kysely';

/**
 * The tables of the platform, as Kysely sees them. One schema for SQLite and Postgres:
 * ids and times are text (times ISO 8601 in UTC with milliseconds, so they sort as text),
 * flags are 0 or 1, JSON is text, `seq` columns are assigned by the database in insert order.
 */
export interface Database {
  workspaces: WorkspacesTable;
  workspace_tokens: WorkspaceTokensTable;
  sessions: SessionsTable;
  activity: ActivityTable;
  messages: MessagesTable;
  events: EventsTable;
  platform_meta: PlatformMetaTable;
}

/** One agent identity. Rows are never deleted by `DELETE` without purge (seed 002). */
export interface WorkspacesTable {
  id: string;
  name: string;
  role: string | null;
  tier: number;
  status: string;
  runtime: string;
  agent_card: string | null;
  url: string | null;
  delivery_mode: string;
  parent_id: string | null;
  /** Set once a token of the workspace was used or a register answered one (decision 3). */
  claimed_at: string | null;
  last_heartbeat_at: string | null;
  last_error_rate: number;
  last_sample_error: string;
  active_tasks: number;
  max_concurrent_tasks: number;
  uptime_seconds: number;
  current_task: string;
  runtime_state: string;
  /** JSON of the last heartbeat's `runtime_metadata`, or null. */
  runtime_metadata: string | null;
  monthly_spend: number;
  budget_limit: number | null;
  last_outbound_at: string | null;
  /** The agent has finished every inbound row up to this `activity.seq` (decision 12). */
  acknowledged_seq: number;
  x: number;
  y: number;
  collapsed: number;
  workspace_dir: string | null;
  created_at: string;
  updated_at: string;
  removed_at: string | null;
}

/** Bearer tokens; only their SHA-256 is kept (decision 4). */
export interface WorkspaceTokensTable {
  id: string;
  workspace_id: string;
  /** Lower-case hex SHA-256 of the token. */
  token_hash: string;
  /** First 8 characters, shown in lists. */
  prefix: string;
  /** `create` = the first token of `POST /workspaces`, `register`, or `mint`. */
  origin: string;
  created_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
}

/** Browser sessions: the cookie that `POST /session` answers (decision 8). */
export interface SessionsTable {
  /** Lower-case hex SHA-256 of the cookie's value. */
  token_hash: string;
  created_at: string;
  expires_at: string;
}

/** The activity feed: one row for each thing a workspace received, said or reported. */
export interface ActivityTable {
  seq: Generated<number>;
  id: string;
  workspace_id: string;
  direction: string;
  activity_type: string;
  method: string | null;
  source_id: string | null;
  target_id: string | null;
  /** The other party, whichever side it is on; null for the canvas. */
  peer_id: string | null;
  message_id: string | null;
  context_id: string | null;
  trace_id: string | null;
  in_reply_to: string | null;
  summary: string | null;
  request_body: string | null;
  response_body: string | null;
  tool_trace: string | null;
  status: string;
  error_detail: string | null;
  duration_ms: number | null;
  delivery_state: string;
  idempotency_key: string | null;
  created_at: string;
}

/**
 * One accepted request to a workspace: the dedupe record of (caller, message id), the delivery
 * queue and the place its answer is kept. The envelope itself is `activity.request_body`.
 */
export interface MessagesTable {
  queue_id: string;
  /** The calling workspace's id, or `canvas` for an operator. */
  caller_key: string;
  caller_id: string | null;
  message_id: string;
  target_id: string;
  activity_id: string;
  activity_seq: number;
  /** Lower-case hex SHA-256 of target and canonical envelope without its JSON-RPC id. */
  body_hash: string;
  /** `queued`, `leased` (a push is under way), `delivered`, `answered` or `failed`. */
  state: string;
  attempts: number;
  next_attempt_at: string | null;
  lease_until: string | null;
  lease_owner: string | null;
  /** The answer as the target gave it (unwrapped JSON-RPC response), or null. */
  answer: string | null;
  /** An error body once delivery has failed for good, or null. */
  error: string | null;
  /** 1 once the outcome reached its caller (held call or feed row), or when no caller needs to be told. */
  answer_told: number;
  /** For a message that is itself an answer: the `queue_id` of its question; else null (decision 11). */
  answers_id: string | null;
  created_at: string;
  updated_at: string;
  answered_at: string | null;
}

/** The event log and outbox: written in the transaction of what the event tells. */
export interface EventsTable {
  seq: Generated<number>;
  id: string;
  event_type: string;
  workspace_id: string | null;
  payload: string;
  created_at: string;
}

export interface PlatformMetaTable {
  key: string;
  value: string;
}

export type WorkspaceRow = Selectable<WorkspacesTable>;
export type NewWorkspaceRow = Insertable<WorkspacesTable>;
export type WorkspaceUpdate = Updateable<WorkspacesTable>;
export type WorkspaceTokenRow = Selectable<WorkspaceTokensTable>;
export type ActivityRowRecord = Selectable<ActivityTable>;
export type NewActivityRowRecord = Insertable<ActivityTable>;
export type MessageRecord = Selectable<MessagesTable>;
export type NewMessageRecord = Insertable<MessagesTable>;
export type EventRecord = Selectable<EventsTable>;
