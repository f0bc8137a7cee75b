import type { Generated, Insertable, Selectable, Updateable } from 'kysely';

/** The `caller` column of messages of people and operators. */
export const CANVAS_CALLER = 'canvas';

/**
 * The tables of the platform, as Kysely sees them. One schema for SQLite and Postgres:
 * ids and times are text (times ISO 8601 in UTC with milliseconds, so they sort as text),
 * flags are 0 or 1, JSON is text, `seq` columns are assigned by the database in insert order.
 */
export interface Database {
  workspaces: WorkspacesTable;
  workspace_tokens: WorkspaceTokensTable;
  control_rows: ControlRowsTable;
  reader_identities: ReaderIdentitiesTable;
  sessions: SessionsTable;
  activity: ActivityTable;
  questions: QuestionsTable;
  events: EventsTable;
  platform_meta: PlatformMetaTable;
  schema_versions: SchemaVersionsTable;
}

/** One agent identity. `DELETE` without `purge` keeps the row. */
interface WorkspacesTable {
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
  /** Set when a token of the workspace is used for the first time or a register has returned one. */
  claimed_at: string | null;
  last_heartbeat_at: string | null;
  last_error_rate: Generated<number>;
  last_sample_error: Generated<string>;
  active_tasks: Generated<number>;
  max_concurrent_tasks: number;
  uptime_seconds: Generated<number>;
  current_task: Generated<string>;
  runtime_state: Generated<string>;
  /** JSON of the last heartbeat's `runtime_metadata`, or null. */
  runtime_metadata: string | null;
  monthly_spend: Generated<number>;
  budget_limit: number | null;
  last_outbound_at: string | null;
  /** The agent has finished every inbound row up to this `activity.seq`. */
  acknowledged_seq: Generated<number>;
  /** When it acknowledged last, to the hour; null for never. */
  acknowledged_at: string | null;
  /** The furthest `activity.seq` after which the agent has read while it did not acknowledge. */
  read_seq: Generated<number>;
  /** While it is paused: the last `activity.seq` of its feed that its agent sees. Null when it is not paused. */
  visible_seq: number | null;
  /** Bytes of the rows that the workspace wrote into its own feed; see `activity/feed-writer.ts`. */
  own_bytes: Generated<number>;
  x: number;
  y: number;
  collapsed: Generated<number>;
  workspace_dir: string | null;
  /** Who paused it: `operator` or `agent`. Null when it is not paused. */
  paused_by: string | null;
  /** The workspace whose pause took it along, or its own id when it was paused itself. */
  paused_with: string | null;
  created_at: string;
  updated_at: string;
  removed_at: string | null;
}

/** Bearer tokens; only their SHA-256 is stored. */
interface WorkspaceTokensTable {
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

/** Messages that were canceled while their agents may be handling them; kept for one hour. */
interface ControlRowsTable {
  seq: Generated<number>;
  workspace_id: string;
  activity_id: string;
  message_id: string;
  created_at: string;
}

/** Which running agent reads the feed of a workspace; a row is written when that changes. */
interface ReaderIdentitiesTable {
  workspace_id: string;
  /** Null when the last holder stopped. */
  instance_id: string | null;
  /** JSON array of the instances that lost the identity to a take-over. */
  superseded: string;
}

/** Browser sessions: the cookie that `POST /session` sets. */
interface SessionsTable {
  /** Lower-case hex SHA-256 of the cookie's value. */
  token_hash: string;
  created_at: string;
  expires_at: string;
}

/**
 * The activity feed: one row for everything that a workspace received, sent or reported. A message is one row in the
 * feed of its target: the request, its state in the delivery queue, the key that identifies a repeat, the outcome.
 */
interface ActivityTable {
  seq: Generated<number>;
  id: string;
  /** Whose feed it is; null for a reply that was returned to a held call and therefore is in no feed. */
  workspace_id: string | null;
  /**
   * The sender: a workspace's id, or `canvas` for people and operators; for messages that it did not send through the
   * platform a key of `directCaller` or `answersCaller`. Unique together with `message_id`.
   */
  caller: string;
  direction: string;
  activity_type: string;
  method: string | null;
  source_id: string | null;
  target_id: string | null;
  /** The other workspace, sender or receiver; null for the canvas. */
  peer_id: string | null;
  message_id: string | null;
  context_id: string | null;
  /** Of what was said between two parties in one context, see `conversationIdOf`. */
  conversation_id: string | null;
  trace_id: string | null;
  in_reply_to: string | null;
  summary: string | null;
  /** Of a message: the JSON-RPC request. */
  request_body: string | null;
  /** The compact row without what is in the request or changes, see `compactBeginning`; null when it has to be built. */
  compact_row: string | null;
  /** Of a message: JSON of the headers that each push of it passes on, see `passedHeaders`; null for none. */
  passed_headers: string | null;
  /** Of a message: the target's answer, unwrapped and unchanged. */
  response_body: string | null;
  /** Of a message answered by a task of A2A: the agent's id of it. */
  agent_task_id: string | null;
  tool_trace: string | null;
  status: string;
  error_detail: string | null;
  duration_ms: number | null;
  idempotency_key: string | null;
  /** A state of protocol's `DELIVERY_STATES`; `none` for a row that is not a message to its workspace. */
  delivery_state: string;
  /** Lower-case hex SHA-256 of target and canonical request without its JSON-RPC id; null when the row is not a message. */
  body_hash: string | null;
  /** For a message that answers another one: the row id of that other one. */
  answers_id: string | null;
  /** For a message with answers to questions: the row id of the message whose handling asked them and ends as this one does. */
  continues_id: string | null;
  /** For a message whose questions were answered: the row id of the last message with the answers. */
  continued_by: string | null;
  /** Messages between workspaces that led to this one, which counts. */
  hops: number;
  /** The same without this one: JSON, pairs of caller and target, the latest last; null for none. */
  path: string | null;
  /** Late answers that were handled on the way to this message. */
  turns: number;
  /** The row id of the message that the path starts with; null for that message itself. */
  path_origin: string | null;
  /** Push attempts started; 0 for a message that was never pushed. */
  attempts: number;
  next_attempt_at: string | null;
  lease_owner: string | null;
  lease_until: string | null;
  /** JSON of why the message failed. */
  failure: string | null;
  /**
   * Whether the caller has the outcome. `none`: it needs none; `expected`: there is none yet; `sent`: it was written
   * to a held call that has not confirmed it; `received`: the caller has received it, or it is on its feed.
   */
  caller_receipt: string;
  /** When an open message expires; null once it has ended. */
  expires_at: string | null;
  /** When its state changed last. */
  changed_at: string;
  ended_at: string | null;
  created_at: string;
}

/** What agents asked while they handled a message. Deleted with the row of that message. */
interface QuestionsTable {
  workspace_id: string;
  /** The agent's id of the question, unique in its workspace. */
  id: string;
  /** The order in which they were asked, within one message. */
  position: number;
  activity_id: string;
  message_id: string;
  context_id: string;
  conversation_id: string;
  /** The workspace that sent the message; null for people and operators. */
  source_id: string | null;
  kind: string;
  /** In the database as JSON, as `answer` is: the texts of others may have characters that no column holds. */
  text: string;
  /** JSON, or null. */
  data: string | null;
  asked_of: string;
  state: string;
  decision: string | null;
  answer: string | null;
  answered_by: string | null;
  created_at: string;
  answered_at: string | null;
}

/** The event log and outbox: a row is written in the transaction of the change that it reports. */
interface EventsTable {
  seq: Generated<number>;
  id: string;
  event_type: string;
  workspace_id: string | null;
  /** The activity row of the event, which is read instead of a payload. */
  activity_seq: number | null;
  /** JSON; null for an event with an activity row. */
  payload: string | null;
  created_at: string;
}

interface PlatformMetaTable {
  key: string;
  value: string;
}

export type WorkspaceRow = Selectable<WorkspacesTable>;
export type NewWorkspaceRow = Insertable<WorkspacesTable>;
export type WorkspaceUpdate = Updateable<WorkspacesTable>;
export type WorkspaceTokenRow = Selectable<WorkspaceTokensTable>;
export type ActivityRowRecord = Selectable<ActivityTable>;
/** A row of the feed that is a message. */
export type MessageRow = ActivityRowRecord & {
  readonly message_id: string;
  readonly body_hash: string;
  readonly target_id: string;
};
export type QuestionRow = Selectable<QuestionsTable>;
export type EventRecord = Selectable<EventsTable>;

/** The versions of the platform that have migrated this database. */
interface SchemaVersionsTable {
  version: string;
  migrated_at: string;
}
