import * as z from 'zod';
import { Count } from './ids.ts';
import { MESSAGE_STATES } from './message-ends.ts';
import { Attachment } from './notify.ts';
import { JsonObject, JsonValue } from './open-json.ts';
import { type WireBuilder, type WireType, wire } from './wire.ts';

const delegation = (w: WireBuilder) => ({ delegation_id: w.id(), target_id: w.id() });
const heartbeatMetrics = { active_tasks: Count, uptime_seconds: Count };

/** The payload of each event; lengths of previews in characters, durations in ms. */
const PAYLOADS = {
  WORKSPACE_PROVISIONING: (w) => w.object({ name: z.string(), tier: z.int(), runtime: z.string() }),
  WORKSPACE_AWAITING_AGENT: (w) => w.object({ name: z.string(), external: z.boolean() }),
  WORKSPACE_ONLINE: (w) =>
    w.object({
      url: z.string().nullable().optional(),
      delivery_mode: w.maybe(z.string()),
      name: w.maybe(z.string()),
      external: w.maybe(z.boolean()),
      recovered_from: w.maybe(z.string()),
    }),
  WORKSPACE_OFFLINE: (w) => w.object({}),
  WORKSPACE_DEGRADED: (w) =>
    w.object({
      error_rate: w.maybe(z.number()),
      runtime_state: w.maybe(z.string()),
      sample_error: w.maybe(z.string()),
    }),
  WORKSPACE_PAUSED: (w) => w.object({ name: z.string() }),
  WORKSPACE_RESUMED: (w) => w.object({ name: z.string() }),
  WORKSPACE_UPDATED: (w) => w.object({ fields: z.array(z.string()) }),
  WORKSPACE_HIBERNATED: (w) => w.object({ name: z.string(), tier: z.int() }),
  WORKSPACE_REMOVED: (w) => w.object({ cascade_deleted: w.maybe(Count), forwarded_to: w.maybe(z.string()) }),
  WORKSPACE_PROVISION_FAILED: (w) =>
    w.object({
      error: w.maybe(z.string()),
      reason: w.maybe(z.string()),
      timeout_secs: w.maybe(Count),
      runtime: w.maybe(z.string()),
      source: w.maybe(z.string()),
    }),
  AGENT_CARD_UPDATED: (w) => w.object({}),
  DELEGATION_SENT: (w) => w.object({ ...delegation(w), task_preview: z.string() }),
  DELEGATION_STATUS: (w) => w.object({ ...delegation(w), status: z.string() }),
  DELEGATION_COMPLETE: (w) =>
    w.object({
      ...delegation(w),
      response_preview: z.string(),
      via: w.maybe(z.string()),
    }),
  DELEGATION_FAILED: (w) => w.object({ ...delegation(w), error: z.string() }),
  TASK_UPDATED: (w) => w.object({ current_task: z.string(), active_tasks: Count }),
  WORKSPACE_HEARTBEAT: (w) => w.object(heartbeatMetrics),
  ACTIVITY_LOGGED: (w) =>
    w.object({
      activity_id: w.maybe(w.id()),
      seq: w.maybe(Count),
      activity_type: z.string(),
      method: z.string().nullable().optional(),
      summary: z.string().nullable().optional(),
      status: z.string().nullable().optional(),
      source_id: z.string().nullable().optional(),
      target_id: z.string().nullable().optional(),
      message_id: w.maybe(z.string()),
      delivery_state: w.maybe(z.string()),
      duration_ms: z.number().nullable().optional(),
      tool_trace: JsonValue.optional(),
    }),
  AGENT_MESSAGE: (w) =>
    w.object({
      message: z.string(),
      workspace_id: w.id(),
      name: z.string(),
      attachments: w.maybe(z.array(w.use(Attachment))),
      activity_id: w.maybe(w.id()),
      in_reply_to: w.maybe(z.string()),
    }),
  A2A_RESPONSE: (w) =>
    w.object({
      response_body: JsonValue,
      method: z.string(),
      duration_ms: z.number(),
      message_id: w.maybe(z.string()),
      activity_id: w.maybe(w.id()),
    }),
  MESSAGE_ENDED: (w) =>
    w.object({
      activity_id: w.id(),
      message_id: z.string(),
      caller_id: w.id().nullable(),
      state: w.oneOf(MESSAGE_STATES),
      code: w.maybe(z.string()),
    }),
  QUESTION_ASKED: (w) =>
    w.object({
      question_id: z.string(),
      activity_id: w.id(),
      kind: z.string(),
      from: z.string(),
    }),
  QUESTION_ANSWERED: (w) =>
    w.object({
      question_id: z.string(),
      activity_id: w.id(),
      decision: w.maybe(z.string()),
    }),
  SECRETS_CHANGED: (w) => w.object({ keys: z.array(z.string()) }),
  PLUGIN_RECORDED: (w) => w.object({ name: z.string(), source: z.string() }),
  RESYNC: (w) => w.object({ reason: w.oneOf(['overflow', 'reconnect']) }),
} satisfies { [name: string]: (w: WireBuilder) => z.ZodObject };

type Payloads = { [Name in keyof typeof PAYLOADS]: ReturnType<(typeof PAYLOADS)[Name]> };

/** The name of an event. A reader ignores names it does not know. */
export type PlatformEventName = keyof Payloads;

/** The payload of one event. */
export type PlatformEventPayload<Name extends PlatformEventName> = z.output<Payloads[Name]>;

/** Event name → schema of its payload. */
export const PLATFORM_EVENTS = wire('PLATFORM_EVENTS', (w) => {
  const built = Object.entries(PAYLOADS).map(([name, build]) => [name, build(w)]);
  return w.object(Object.fromEntries(built) as Payloads);
});

/** All event names. */
export const PLATFORM_EVENT_NAMES = Object.keys(PAYLOADS) as PlatformEventName[];

/** One frame of the WebSocket `/ws`. Check the payload with {@link PLATFORM_EVENTS}. */
export const EventFrame = wire('EventFrame', (w) =>
  w.object({
    event: w.oneOf(PLATFORM_EVENT_NAMES as [PlatformEventName, ...PlatformEventName[]]),
    workspace_id: z.string(),
    timestamp: w.timestamp(),
    payload: w.promised(JsonObject),
    seq: z.int().min(0).nullable().optional(),
  }),
);
export type EventFrame = WireType<typeof EventFrame>;

/** The `data:` of one SSE message of `/workspaces/:id/events/stream`; `timestamp` in Unix milliseconds. */
export const SseFrame = wire('SseFrame', (w) =>
  w.object({
    type: w.oneOf(PLATFORM_EVENT_NAMES as [PlatformEventName, ...PlatformEventName[]]),
    timestamp: z.int(),
    data: w.promised(JsonObject),
    seq: z.int().min(0).nullable().optional(),
  }),
);
export type SseFrame = WireType<typeof SseFrame>;

/** Contract violations of a WebSocket frame, payload included; empty when there is none. */
export function checkEventFrame(frame: JsonValue): string[] {
  const read = EventFrame.strict.safeParse(frame);
  if (!read.success)
    return read.error.issues.map((issue) => `frame at ${issue.path.join('.')}: ${issue.message}`);
  const payloads: { readonly [name: string]: z.ZodType } = PLATFORM_EVENTS.strict.shape;
  const payload = payloads[read.data.event]?.safeParse(read.data.payload);
  const issues = payload?.error?.issues ?? [];
  return issues.map((issue) => `${read.data.event} at ${issue.path.join('.')}: ${issue.message}`);
}

/** One recorded event of `GET /events`. */
export const EventRow = wire('EventRow', (w) =>
  w.object({
    id: z.string().min(1),
    seq: w.promised(Count),
    event_type: w.oneOf(PLATFORM_EVENT_NAMES as [PlatformEventName, ...PlatformEventName[]]),
    workspace_id: z.string().nullable(),
    payload: JsonObject,
    created_at: w.timestamp(),
  }),
);
export type EventRow = WireType<typeof EventRow>;

/** Response of `GET /events` and `GET /events/:workspaceId`: 100 newest, or the ones after `after` ascending. */
export const EventList = wire('EventList', (w) => z.array(w.use(EventRow)));
export type EventList = WireType<typeof EventList>;

/** Query of the events routes: `after` is a `seq`, `limit` 1–500; decimal text. */
export const EventsQuery = wire('EventsQuery', (w) =>
  w.object({ after: w.maybe(z.string()), limit: w.maybe(z.string()) }),
);
export type EventsQuery = WireType<typeof EventsQuery>;
