import { z } from 'zod';
import { Count, Uuid } from './ids.ts';
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

/** How far a message row got. */
export const DELIVERY_STATES = [
  'pending',
  'leased',
  'delivered',
  'acknowledged',
  'answered',
  'failed',
] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

const MESSAGE_SOURCES = ['canvas_user', 'peer_agent', 'unknown'] as const;

/** The part of a row that S3 readers look at: who wrote, and the text. */
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
 * One activity row, in both shapes of the family at once (decision 14, wire contract 10.2): `activity_type` =
 * `type`, `created_at` = `ts`, enrichment in `data` and at the top. `seq` rises by the platform's order.
 * `params.result` carries the wrapped text of an answer (decision 11). To read rows of any platform use
 * `parseActivityRow`, which is more tolerant than this schema.
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
    trace_id: w.maybe(z.string()),
    in_reply_to: w.maybe(z.string()),
    delegation_id: w.maybe(z.string()),
    delivery_state: w.maybe(w.oneOf(DELIVERY_STATES)),
  }),
);
export type ActivityRow = WireType<typeof ActivityRow>;

/** Answer of `GET /workspaces/:id/activity`: a bare array. */
export const ActivityList = wire('ActivityList', (w) => z.array(w.use(ActivityRow)));
export type ActivityList = WireType<typeof ActivityList>;

/** Body of `POST /workspaces/:id/activity`: the agent reports its own work (wire contract 3.23). */
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
    method: w.maybe(z.string()),
    summary: w.maybe(z.string()),
    target_id: w.maybe(z.string()),
    source_id: w.maybe(z.string()),
    status: w.maybe(w.oneOf(['ok', 'error', 'timeout'])),
    error_detail: w.maybe(z.string()),
    duration_ms: w.maybe(z.number()),
    request_body: JsonValue.optional(),
    response_body: JsonValue.optional(),
    metadata: JsonValue.optional(),
  }),
);
export type ReportActivityRequest = WireType<typeof ReportActivityRequest>;

/** Answer of `POST /workspaces/:id/activity`. */
export const ReportActivityResponse = wire('ReportActivityResponse', (w) =>
  w.object({ status: w.oneOf(['logged']), activity_id: w.maybe(w.id()) }),
);
export type ReportActivityResponse = WireType<typeof ReportActivityResponse>;

const digits = z.string().regex(/^\d+$/);

/**
 * Query of `GET /workspaces/:id/activity`; all values are text, as in a URL. `limit` 1–500 (100; a bad one
 * counts as 100), `since_id` an id: rows after it, ascending, 410 `cursor_not_found` for an unknown one;
 * `since_secs` at most 30 days; `wait` 0–60 s, confirmed by the header `X-Wait-Applied`; `unacknowledged=true`
 * gives only rows not yet acknowledged, oldest first. Source: wire contract 3.23 and 10.2, decisions 13 and 14.
 */
export const ActivityQuery = wire('ActivityQuery', (w) =>
  w.object({
    type: z.string().optional(),
    source: z.enum(['canvas', 'agent']).optional(),
    limit: w.either(digits, z.string()).optional(),
    since_id: z.string().optional(),
    since_secs: digits.optional(),
    before_ts: z.iso.datetime({ offset: true }).optional(),
    peer_id: Uuid.optional(),
    include: z.string().optional(),
    order: z.enum(['asc', 'desc']).optional(),
    direction: z.enum(['in', 'out', 'all']).optional(),
    wait: digits.optional(),
    unacknowledged: z.enum(['true', 'false']).optional(),
  }),
);
export type ActivityQuery = WireType<typeof ActivityQuery>;

/** Body of `POST /workspaces/:id/activity/ack`: the last finished row, by id or `seq` (decision 12). */
export const AckRequest = wire('AckRequest', (w) => w.object({ up_to: z.union([z.string().min(1), Count]) }));
export type AckRequest = WireType<typeof AckRequest>;

/** Answer of an acknowledgement: the position now, and how many rows it newly covers. */
export const AckResponse = wire('AckResponse', (w) =>
  w.object({ status: w.oneOf(['acknowledged']), up_to: z.string(), seq: Count, acknowledged: Count }),
);
export type AckResponse = WireType<typeof AckResponse>;
