import * as z from 'zod';
import { ErrorBody } from './error-body.ts';
import { Count, MessageId } from './ids.ts';
import { A2aMessage } from './message.ts';
import type { JsonObject } from './open-json.ts';
import { type WireType, wire } from './wire.ts';

/** Where a message is. The last five are ends: a message has exactly one of them, for good. */
export const MESSAGE_STATES = [
  'queued',
  'delivered',
  'input_required',
  'answered',
  'unanswered',
  'failed',
  'canceled',
  'expired',
] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

const ENDS: ReadonlySet<string> = new Set(['answered', 'unanswered', 'failed', 'canceled', 'expired']);

/** Whether a message in this state has ended. Unknown words count as open. */
export function isEnded(state: string): boolean {
  return ENDS.has(state);
}

/** What an agent may report about a message that it does not answer. */
export const OUTCOMES = ['accepted', 'unanswered', 'failed', 'canceled'] as const;
export type OutcomeWord = (typeof OUTCOMES)[number];

/** At most so many outcomes in one acknowledgement. */
export const MAX_OUTCOMES = 500;

/** The longest text of an outcome's error, in characters. */
export const MAX_OUTCOME_ERROR_LENGTH = 4_000;

/**
 * How the handling of one delivered message ended. `accepted` acknowledges the row without ending the message, for
 * agents that handle at most once. `error.message` goes to the sender as text of the agent; `error.code` is a short
 * machine word.
 */
export const Outcome = wire('Outcome', (w) =>
  w.object({
    activity_id: w.id(),
    outcome: w.either(z.enum(OUTCOMES), z.enum(OUTCOMES)),
    error: w.maybe(
      w.object({
        message: z.string().max(MAX_OUTCOME_ERROR_LENGTH),
        code: w.maybe(z.string().max(100)),
      }),
    ),
  }),
);
export type Outcome = WireType<typeof Outcome>;

/** The state of a message after its outcome was reported; `unknown` for a row that the feed does not have. */
export const OutcomeReceipt = wire('OutcomeReceipt', (w) =>
  w.object({ activity_id: z.string(), state: w.oneOf([...MESSAGE_STATES, 'unknown']) }),
);
export type OutcomeReceipt = WireType<typeof OutcomeReceipt>;

/** The A2A state of a task. */
export const TASK_STATES = [
  'submitted',
  'working',
  'input-required',
  'completed',
  'failed',
  'canceled',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

/**
 * What the sender of a message gets in `result` when there is no answer: an A2A 0.3 task. `id` is the activity id of
 * the message. `metadata.state` is the state in this project's words, `metadata.code` says why it failed.
 */
export const A2aTask = wire('A2aTask', (w) =>
  w.object({
    kind: z.literal('task'),
    id: z.string().min(1),
    contextId: z.string(),
    status: w.object({
      state: w.oneOf(TASK_STATES),
      timestamp: w.timestamp(),
      message: w.maybe(w.use(A2aMessage)),
    }),
    metadata: w.object({
      message_id: MessageId,
      state: w.oneOf(MESSAGE_STATES),
      code: w.maybe(z.string()),
    }),
  }),
);
export type A2aTask = WireType<typeof A2aTask>;

const TASK_STATE_OF: { readonly [State in MessageState]: TaskState } = {
  queued: 'submitted',
  delivered: 'working',
  input_required: 'input-required',
  answered: 'completed',
  unanswered: 'completed',
  failed: 'failed',
  canceled: 'canceled',
  expired: 'failed',
};

/** The A2A state that a message state is shown as. */
export function taskStateOf(state: MessageState): TaskState {
  return TASK_STATE_OF[state];
}

/** The state of a message that a task names in `metadata.state`, else in its A2A state; `null` when it names none. */
export function messageStateOfTask(task: JsonObject): MessageState | null {
  const metadata = task.metadata;
  const named = isObject(metadata) ? metadata.state : undefined;
  if (isMessageState(named)) return named;
  const status = task.status;
  const state = isObject(status) ? status.state : status;
  switch (
    typeof state === 'string'
      ? state
          .toLowerCase()
          .replace(/^task_state_/, '')
          .replaceAll('_', '-')
      : ''
  ) {
    case 'submitted':
      return 'queued';
    case 'working':
      return 'delivered';
    case 'input-required':
    case 'auth-required':
      return 'input_required';
    case 'completed':
      return 'answered';
    case 'failed':
    case 'rejected':
      return 'failed';
    case 'canceled':
    case 'cancelled':
      return 'canceled';
    default:
      return null;
  }
}

/** Narrows any value to a message state. */
export function isMessageState(value: unknown): value is MessageState {
  return MESSAGE_STATES.some((state) => state === value);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Query of `GET /workspaces/:id/messages`: `state` is one state, a comma-separated list, `open` or `ended`; `since`
 * is an RFC 3339 time, only messages changed at or after it; `limit` 1 to 200, 50 when left out.
 */
export const ListMessagesQuery = wire('ListMessagesQuery', (w) =>
  w.object({
    state: w.maybe(z.string()),
    since: w.maybe(w.timestamp()),
    limit: w.maybe(z.string()),
  }),
);
export type ListMessagesQuery = WireType<typeof ListMessagesQuery>;

/** One message that a workspace sent, without its texts. `code` says why it failed. */
export const MessageSummary = wire('MessageSummary', (w) =>
  w.object({
    message_id: MessageId,
    queue_id: w.promised(z.string()),
    activity_id: w.id(),
    caller_id: w.id().nullable(),
    target_id: w.id(),
    context_id: z.string(),
    state: w.oneOf(MESSAGE_STATES),
    held: z.boolean(),
    attempts: Count,
    last_error: w.maybe(w.use(ErrorBody)),
    code: w.orNull(z.string()),
    created_at: w.timestamp(),
    answered_at: w.orNull(w.timestamp()),
    ended_at: w.orNull(w.timestamp()),
  }),
);
export type MessageSummary = WireType<typeof MessageSummary>;

/** Response of `GET /workspaces/:id/messages`, the latest change first. */
export const MessageListResponse = wire('MessageListResponse', (w) =>
  w.object({ messages: z.array(w.use(MessageSummary)), has_more: z.boolean() }),
);
export type MessageListResponse = WireType<typeof MessageListResponse>;
