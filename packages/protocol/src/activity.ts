import * as z from 'zod';
import { columnText } from './field-limits.ts';
import { Count, Uuid } from './ids.ts';
import { MAX_OUTCOMES, MESSAGE_STATES, Outcome, OutcomeReceipt } from './message-ends.ts';
import { Attachment } from './notify.ts';
import { JsonObject, JsonValue } from './open-json.ts';
import { type WireType, wire } from './wire.ts';

/** Every type of activity row. */
export const ACTIVITY_TYPES = [
  'a2a_receive',
  'a2a_send',
  'task_update',
  'agent_log',
  'skill_promotion',
  'memory_write',
  'error',
  'delegation',
] as const;
export type ActivityType = (typeof ACTIVITY_TYPES)[number];

/** The delivery state of a message row. */
export const DELIVERY_STATES = [
  'pending',
  'leased',
  'delivered',
  'acknowledged',
  'input_required',
  'answered',
  'unanswered',
  'failed',
  'canceled',
  'expired',
] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

const MESSAGE_SOURCES = ['canvas_user', 'peer_agent', 'unknown'] as const;

/** The sender and text of a row, at the place where clients written after the README of the Python SDK read them. */
export const ActivityData = wire('ActivityData', (w) =>
  w.object({
    source: w.maybe(w.oneOf(MESSAGE_SOURCES)),
    kind: w.maybe(w.oneOf(MESSAGE_SOURCES)),
    text: w.maybe(z.string()),
    peer_id: z.string().nullable().optional(),
    activity_id: w.maybe(z.string()),
    peer_name: w.maybe(z.string()),
    peer_role: w.maybe(z.string()),
    agent_card_url: w.maybe(z.string()),
  }),
);
export type ActivityData = WireType<typeof ActivityData>;

/**
 * One activity row, with the keys of both documented shapes: `activity_type` = `type`, `created_at` = `ts`, and the
 * peer's name, role and card URL in `data` and at the top level. `seq` increases in the order of the platform.
 * `params.result` is the wrapped text of an answer. `truncated`: an answer in the row was cut, and
 * `GET /workspaces/:id/activity/:activityId` has the whole. To read rows of any platform use `parseActivityRow`, which is
 * more tolerant than this schema. See docs/contract/feed.md#rows.
 */
export const ActivityRow = wire('ActivityRow', (w) =>
  w.object({
    id: w.id(),
    workspace_id: w.promised(w.id()),
    seq: w.promised(Count),
    activity_type: w.promised(w.oneOf(ACTIVITY_TYPES)),
    type: w.promised(w.oneOf(ACTIVITY_TYPES)),
    source_id: z.string().nullable().optional(),
    target_id: z.string().nullable().optional(),
    source: w.maybe(w.oneOf(MESSAGE_SOURCES)),
    direction: w.promised(w.oneOf(['in', 'out'])),
    method: z.string().nullable().optional(),
    summary: z.string().nullable().optional(),
    request_body: JsonValue.optional(),
    response_body: JsonValue.optional(),
    tool_trace: JsonValue.optional(),
    params: JsonObject.optional(),
    duration_ms: z.number().nullable().optional(),
    status: w.maybe(w.oneOf(['ok', 'error', 'timeout', 'pending'])),
    error_detail: z.string().nullable().optional(),
    created_at: w.promised(w.timestamp()),
    ts: w.promised(w.timestamp()),
    data: w.promised(w.use(ActivityData)),
    peer_name: w.maybe(z.string()),
    peer_role: w.maybe(z.string()),
    agent_card_url: w.maybe(z.string()),
    attachments: w.maybe(z.array(w.use(Attachment))),
    message_id: w.maybe(z.string()),
    context_id: w.maybe(z.string()),
    conversation_id: w.maybe(z.string()),
    trace_id: w.maybe(z.string()),
    traceparent: w.maybe(z.string()),
    tracestate: w.maybe(z.string()),
    in_reply_to: w.maybe(z.string()),
    delegation_id: w.maybe(z.string()),
    delivery_state: w.maybe(w.oneOf(DELIVERY_STATES)),
    truncated: w.maybe(z.boolean()),
  }),
);
export type ActivityRow = WireType<typeof ActivityRow>;

/**
 * One activity row with `view=compact`: each fact once. `state` is the state of a message, null for other rows. `params`
 * is there only when the call had more than these keys hold, such as the role `agent` or a task id, and has only that;
 * `traceparent` and `tracestate` only for a message that belongs to a trace.
 * `truncated`: the answer was cut, see {@link ActivityRow}. See docs/contract/feed.md#compact-rows.
 */
export const CompactRow = wire('CompactRow', (w) =>
  w.object({
    id: w.id(),
    seq: Count,
    ts: w.timestamp(),
    type: w.oneOf(ACTIVITY_TYPES),
    direction: w.oneOf(['in', 'out']),
    method: w.orNull(z.string()),
    source: w.orNull(w.oneOf(MESSAGE_SOURCES)),
    source_id: w.orNull(z.string()),
    message_id: w.orNull(z.string()),
    context_id: w.orNull(z.string()),
    conversation_id: w.orNull(z.string()),
    in_reply_to: w.orNull(z.string()),
    parts: z.array(JsonObject),
    metadata: JsonObject,
    state: w.orNull(w.oneOf(MESSAGE_STATES)),
    truncated: w.maybe(z.boolean()),
    params: w.maybe(JsonObject),
    traceparent: w.maybe(z.string()),
    tracestate: w.maybe(z.string()),
    peer_name: w.maybe(z.string()),
    peer_role: w.maybe(z.string()),
  }),
);
export type CompactRow = WireType<typeof CompactRow>;

/** Response of `GET /workspaces/:id/activity/:activityId`: the row, whole. */
export const ActivityRowResponse = wire('ActivityRowResponse', (w) =>
  z.union([w.use(ActivityRow), w.use(CompactRow)]),
);
export type ActivityRowResponse = WireType<typeof ActivityRowResponse>;

const FEED_VIEWS = ['compact'] as const;

/** Query of `GET /workspaces/:id/activity/:activityId`. */
export const ActivityRowQuery = wire('ActivityRowQuery', (w) =>
  w.object({ view: w.either(z.enum(FEED_VIEWS), z.string()).optional() }),
);
export type ActivityRowQuery = WireType<typeof ActivityRowQuery>;

/** Response of `GET /workspaces/:id/activity`: a bare array. */
export const ActivityList = wire('ActivityList', (w) => z.array(w.use(ActivityRow)));
export type ActivityList = WireType<typeof ActivityList>;

/** Body of `POST /workspaces/:id/activity`: the agent reports its own work. */
export const ReportActivityRequest = wire('ReportActivityRequest', (w) =>
  w.object({
    activity_type: z.enum([
      'a2a_send',
      'a2a_receive',
      'task_update',
      'agent_log',
      'skill_promotion',
      'memory_write',
      'error',
    ]),
    method: w.maybe(columnText()),
    summary: w.maybe(columnText()),
    target_id: w.maybe(columnText()),
    source_id: w.maybe(columnText()),
    status: w.maybe(w.either(z.enum(['ok', 'error', 'timeout']), columnText())),
    error_detail: w.maybe(columnText()),
    duration_ms: w.maybe(z.number()),
    request_body: JsonValue.optional(),
    response_body: JsonValue.optional(),
    metadata: JsonValue.optional(),
  }),
);
export type ReportActivityRequest = WireType<typeof ReportActivityRequest>;

/** Response of `POST /workspaces/:id/activity`. */
export const ReportActivityResponse = wire('ReportActivityResponse', (w) =>
  w.object({ status: w.oneOf(['logged']), activity_id: w.maybe(w.id()) }),
);
export type ReportActivityResponse = WireType<typeof ReportActivityResponse>;

const digits = z.string().regex(/^\d+$/);

/**
 * Query of `GET /workspaces/:id/activity`; all values are text, as in a URL. `limit` 1–500 (100; a bad one
 * counts as 100), `since_id` an id: rows after it, ascending, 410 `cursor_not_found` for an unknown one;
 * `before_id` an id: rows before it, 410 as well; `since_secs` at most 30 days; `wait` 0–60 s, confirmed by the header `X-Wait-Applied`; `unacknowledged=true`
 * returns only rows not yet acknowledged, oldest first; `view=compact` returns {@link CompactRow}s. See docs/contract/feed.md#reading-a-page.
 */
export const ActivityQuery = wire('ActivityQuery', (w) =>
  w.object({
    type: z.string().optional(),
    source: z.enum(['canvas', 'agent']).optional(),
    limit: w.either(digits, z.string()).optional(),
    since_id: z.string().optional(),
    since_secs: digits.optional(),
    before_ts: z.iso.datetime({ offset: true }).optional(),
    before_id: z.string().optional(),
    peer_id: Uuid.optional(),
    include: z.string().optional(),
    order: z.enum(['asc', 'desc']).optional(),
    direction: z.enum(['in', 'out', 'all']).optional(),
    wait: digits.optional(),
    unacknowledged: z.enum(['true', 'false']).optional(),
    conversation_id: z.string().optional(),
    view: z.enum(FEED_VIEWS).optional(),
    only: z.enum(['control']).optional(),
    since_seq: digits.optional(),
  }),
);
export type ActivityQuery = WireType<typeof ActivityQuery>;

/**
 * Body of `POST /workspaces/:id/activity/ack`: the last finished row, by id or `seq`, and how the handling of single
 * rows ended; at least one of both. An outcome may name any delivered row, also one after `up_to`.
 */
export const AckRequest = wire('AckRequest', (w) =>
  w
    .object({
      up_to: w.maybe(z.union([columnText().min(1), Count])),
      outcomes: w.maybe(z.array(w.use(Outcome)).min(1).max(MAX_OUTCOMES)),
    })
    .refine((body) => body.up_to !== undefined || body.outcomes !== undefined, {
      message: 'must be given, or outcomes',
      path: ['up_to'],
    }),
);
export type AckRequest = WireType<typeof AckRequest>;

/**
 * Response of an acknowledgement: the position now (`up_to` is null when nothing was acknowledged yet), how many rows
 * it newly covers, and the state of each message that an outcome named, in the order of the request.
 */
export const AckResponse = wire('AckResponse', (w) =>
  w.object({
    status: w.oneOf(['acknowledged']),
    up_to: w.orNull(z.string()),
    seq: Count,
    acknowledged: Count,
    outcomes: w.maybe(z.array(w.use(OutcomeReceipt))),
  }),
);
export type AckResponse = WireType<typeof AckResponse>;

/**
 * One control row of `GET /workspaces/:id/activity?only=control`: the sender or an operator canceled a message that
 * this agent may be handling. Control rows have an order of their own, need no acknowledgement, and are kept one hour.
 */
export const ControlRow = wire('ControlRow', (w) =>
  w.object({
    seq: Count,
    method: w.oneOf(['cancel_task']),
    message_id: z.string(),
    activity_id: w.id(),
  }),
);
export type ControlRow = WireType<typeof ControlRow>;

/** Response of a feed read with `only=control`, oldest first. */
export const ControlList = wire('ControlList', (w) => z.array(w.use(ControlRow)));
export type ControlList = WireType<typeof ControlList>;

/** Response of `GET /workspaces/:id/activity`: rows of the feed in one of their views, or control rows for `only=control`. */
export const FeedResponse = wire('FeedResponse', (w) =>
  z.union([w.use(ActivityList), z.array(w.use(CompactRow)), w.use(ControlList)]),
);
export type FeedResponse = WireType<typeof FeedResponse>;
