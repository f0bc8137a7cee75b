import * as z from 'zod';
import { ErrorBody } from './error-body.ts';
import { Count, DELIVERY_MODES, MessageId } from './ids.ts';
import { JsonRpcResponse } from './message.ts';
import { MESSAGE_STATES } from './message-ends.ts';
import { isJsonObject, type JsonValue } from './open-json.ts';
import { type WireType, wire } from './wire.ts';

/**
 * 202 of an A2A call: stored, not answered yet. `held`: the target is paused. Get the answer from
 * `GET /workspaces/<caller>/messages/<message_id>?wait=N`. See docs/contract/messages.md#held-calls.
 */
export const QueuedResponse = wire('QueuedResponse', (w) =>
  w
    .object({
      queued: w.promised(z.literal(true)),
      status: w.promised(w.oneOf(['queued'])),
      delivery_mode: w.promised(w.oneOf(DELIVERY_MODES)),
      queue_id: w.promised(z.string().min(1)),
      activity_id: w.promised(w.id()),
      message_id: w.promised(MessageId),
      queue_depth: w.promised(Count),
      message: w.promised(z.string()),
      held: w.maybe(z.boolean()),
    })
    .refine((body) => body.queued === true || body.status === 'queued', 'must say that it is queued'),
);
export type QueuedResponse = WireType<typeof QueuedResponse>;

/**
 * 200 of an A2A call whose message is itself an answer (`metadata.in_reply_to`): returned to the waiting caller, or
 * added to the caller's feed. `nobody` gets it when the message had ended before; `state` is then its end and `hint` says
 * what to do.
 */
export const ReplyAccepted = wire('ReplyAccepted', (w) =>
  w.object({
    status: z.literal('answered'),
    message_id: MessageId,
    in_reply_to: z.string().min(1),
    delivered_to: w.oneOf(['caller', 'feed', 'nobody']),
    duplicate: w.maybe(z.literal(true)),
    state: w.maybe(w.oneOf(MESSAGE_STATES)),
    hint: w.maybe(z.string()),
  }),
);
export type ReplyAccepted = WireType<typeof ReplyAccepted>;

/** 200 of an A2A call whose message answered a canceled message: nobody gets it, and the agent is done with the row. */
export const ReplyIgnored = wire('ReplyIgnored', (w) =>
  w.object({
    ignored: z.literal(true),
    message_id: w.promised(MessageId),
    in_reply_to: w.promised(z.string().min(1)),
  }),
);
export type ReplyIgnored = WireType<typeof ReplyIgnored>;

/** 200 of an A2A call. Other platforms also return 200 for a queued message, which only a tolerant reader accepts. */
export const A2aResponse = wire('A2aResponse', (w) =>
  w.either(
    z.union([ReplyAccepted.strict, ReplyIgnored.strict, JsonRpcResponse.strict]),
    z.union([
      ReplyAccepted.tolerant,
      ReplyIgnored.tolerant,
      QueuedResponse.tolerant,
      JsonRpcResponse.tolerant,
    ]),
  ),
);
export type A2aResponse = WireType<typeof A2aResponse>;

/** Query of an A2A call on `/a2a`: the target workspace. */
export const OwnMessageQuery = wire('OwnMessageQuery', (w) => w.object({ target: w.maybe(w.id()) }));
export type OwnMessageQuery = WireType<typeof OwnMessageQuery>;

/** Query of `GET /workspaces/:id/messages/:messageId`: seconds to wait for an answer, `0` to `60`. */
export const GetMessageQuery = wire('GetMessageQuery', (w) =>
  w.object({ wait: w.maybe(w.either(z.string().regex(/^([0-9]|[1-5][0-9]|60)$/), z.string())) }),
);
export type GetMessageQuery = WireType<typeof GetMessageQuery>;

/**
 * Response of `GET /workspaces/:id/messages/:messageId`. `caller_id` is null for people on the canvas. `answer` is the
 * JSON-RPC response that the sender is given: the answer, or the task of any other end; null while the message is
 * open, except for the task of `input_required`. `last_error` says why the last attempt to push a queued message failed.
 */
export const MessageRecord = wire('MessageRecord', (w) =>
  w.object({
    message_id: MessageId,
    queue_id: z.string(),
    activity_id: w.id(),
    caller_id: w.id().nullable(),
    target_id: w.id(),
    context_id: w.promised(z.string()),
    state: w.oneOf(MESSAGE_STATES),
    held: z.boolean(),
    attempts: Count,
    last_error: w.maybe(w.use(ErrorBody)),
    answer: w.use(JsonRpcResponse).nullable(),
    error: w.use(ErrorBody).nullable(),
    created_at: w.timestamp(),
    answered_at: w.timestamp().nullable(),
    ended_at: w.promised(w.timestamp().nullable()),
  }),
);
export type MessageRecord = WireType<typeof MessageRecord>;

/** True for a body that means "stored, not answered yet", in any supported shape and with any HTTP status. */
export function isQueuedResponse(body: JsonValue): boolean {
  if (!isJsonObject(body) || 'jsonrpc' in body || 'result' in body) return false;
  return body.queued === true || body.status === 'queued';
}
