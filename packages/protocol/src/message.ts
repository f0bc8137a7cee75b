import * as z from 'zod';
import { columnText } from './field-limits.ts';
import { MessageId } from './ids.ts';
import { JsonObject, JsonValue, withOtherKeys } from './open-json.ts';
import { type WireType, wire } from './wire.ts';

/** A text part. We write `kind` and `type`; readers accept either, or neither. See docs/contract/messages.md#parts. */
export const TextPart = wire('TextPart', (w) =>
  w.object({
    kind: z.literal('text'),
    type: z.literal('text').optional(),
    text: z.string(),
    metadata: JsonObject.optional(),
  }),
);
export type TextPart = WireType<typeof TextPart>;

/** A file part: its content as `uri` or as base64 `bytes`; `size` in bytes. */
export const FilePart = wire('FilePart', (w) =>
  w.object({
    kind: z.literal('file'),
    type: z.literal('file').optional(),
    file: w.object({
      name: z.string().optional(),
      mimeType: z.string().optional(),
      uri: z.string().optional(),
      bytes: z.string().optional(),
      size: z.int().min(0).optional(),
    }),
    metadata: JsonObject.optional(),
  }),
);
export type FilePart = WireType<typeof FilePart>;

/** A structured part. */
export const DataPart = wire('DataPart', (w) =>
  w.object({
    kind: z.literal('data'),
    type: z.literal('data').optional(),
    data: JsonValue,
    metadata: JsonObject.optional(),
  }),
);
export type DataPart = WireType<typeof DataPart>;

/**
 * One part as we write it: `{ kind: 'text', text }`, `{ kind: 'data', data }` with any JSON, or `{ kind: 'file', file }` with `name`, `mimeType`, and
 * `bytes` in base64 or a `uri`. The parts of a message that was received are the sender's: check each field before it is used.
 */
export const MessagePart = wire('MessagePart', (w) =>
  z.union([w.use(TextPart), w.use(FilePart), w.use(DataPart)]),
);
export type MessagePart = WireType<typeof MessagePart>;

/** An A2A message as we write it. */
export const A2aMessage = wire('A2aMessage', (w) =>
  w.object({
    kind: z.literal('message').optional(),
    role: w.oneOf(['user', 'agent']),
    messageId: MessageId,
    parts: z.array(w.use(MessagePart)).min(1),
    contextId: columnText().optional(),
    taskId: columnText().optional(),
    metadata: JsonObject.optional(),
  }),
);
export type A2aMessage = WireType<typeof A2aMessage>;

const JsonRpcId = z.union([z.string(), z.number()]);

/** `message/send`, `message/stream` and `message/sendSubscribe` as we write them. */
export const SendMessageRequest = wire('SendMessageRequest', (w) =>
  w.object({
    jsonrpc: z.literal('2.0'),
    id: JsonRpcId,
    method: z.enum(['message/send', 'message/stream', 'message/sendSubscribe']),
    params: w.object({
      message: w.use(A2aMessage),
      configuration: JsonObject.optional(),
      metadata: JsonObject.optional(),
    }),
  }),
);
export type SendMessageRequest = WireType<typeof SendMessageRequest>;

/** `tasks/get` and `tasks/cancel` as we write them; `params.id` is the task or the message id. */
export const TaskRequest = wire('TaskRequest', (w) =>
  w.object({
    jsonrpc: z.literal('2.0'),
    id: JsonRpcId,
    method: z.enum(['tasks/get', 'tasks/cancel']),
    params: w.object({ id: columnText().min(1), metadata: JsonObject.optional() }),
  }),
);
export type TaskRequest = WireType<typeof TaskRequest>;

/**
 * Body of an A2A call. Strict: one of our two envelopes. Tolerant: any JSON object, unchanged, because bare
 * `{method, params}` and `{parts}` are accepted and parts of peers are never rewritten.
 */
export const A2aRequest = wire('A2aRequest', (w) =>
  w.either(z.union([w.use(SendMessageRequest), w.use(TaskRequest)]), JsonObject),
);
export type A2aRequest = WireType<typeof A2aRequest>;

/** A JSON-RPC error object; −32601 is an unknown method. */
export const JsonRpcError = wire('JsonRpcError', (w) =>
  w.object({ code: z.int(), message: z.string(), data: JsonValue.optional() }),
);
export type JsonRpcError = WireType<typeof JsonRpcError>;

const ANSWERS = ['result', 'error', 'text', 'parts', 'artifacts', 'message'];

/**
 * The answer of an agent, unchanged: a JSON-RPC response, or a bare body with `text` or `parts`. The result is open,
 * read it with `extractAnswerText`; `error` may be a JSON-RPC error or a text.
 */
export const JsonRpcResponse = wire('JsonRpcResponse', () =>
  withOtherKeys({
    jsonrpc: z.literal('2.0').optional(),
    id: JsonRpcId.nullable().optional(),
    result: JsonValue.optional(),
    error: JsonValue.optional(),
  }).refine(isJsonRpcResponse, 'must have a result or an error'),
);
export type JsonRpcResponse = WireType<typeof JsonRpcResponse>;

/** What the strict schema accepts, for any number of unknown keys: they cost nothing here. */
export function isJsonRpcResponse(body: JsonObject): boolean {
  const { jsonrpc, id } = body;
  if (jsonrpc !== undefined && jsonrpc !== '2.0') return false;
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number') return false;
  return ANSWERS.some((key) => key in body) && body.queued !== true && body.status !== 'queued';
}

/** A text part in the form that every reader understands: with `kind` and `type`. */
export function textPart(text: string): { kind: 'text'; type: 'text'; text: string } {
  return { kind: 'text', type: 'text', text };
}

/** A part with structured data, in the form that every reader understands. */
export function dataPart(data: JsonValue): { kind: 'data'; type: 'data'; data: JsonValue } {
  return { kind: 'data', type: 'data', data };
}

/** Input of `buildSendMessage`: `text` or `parts`; `id` is the JSON-RPC id. @default the message id */
export type SendMessageInput = {
  readonly messageId: string;
  readonly id?: string | number | undefined;
  readonly role?: 'user' | 'agent' | undefined;
  readonly contextId?: string | undefined;
  readonly metadata?: JsonObject | undefined;
} & ({ readonly text: string } | { readonly parts: readonly MessagePart[] });

/** A `message/send` envelope. The caller chooses the ids; `metadata` goes to the message. */
export function buildSendMessage(input: SendMessageInput): SendMessageRequest {
  const message: A2aMessage = {
    kind: 'message',
    role: input.role ?? 'user',
    messageId: input.messageId,
    parts: 'parts' in input ? [...input.parts] : [textPart(input.text)],
  };
  if (input.contextId !== undefined) message.contextId = input.contextId;
  if (input.metadata !== undefined) message.metadata = input.metadata;
  return { jsonrpc: '2.0', id: input.id ?? input.messageId, method: 'message/send', params: { message } };
}

/** The JSON-RPC response of an agent to `message/send`. */
export interface AnswerEnvelope {
  jsonrpc: '2.0';
  id: string | number | null;
  result: { kind: 'message'; role: 'agent'; messageId: string; parts: MessagePart[] };
}

/** A JSON-RPC response with one text part; `id` is the id of the request. */
export function buildAnswer(input: {
  readonly id: string | number | null;
  readonly messageId: string;
  readonly text: string;
}): AnswerEnvelope {
  return {
    jsonrpc: '2.0',
    id: input.id,
    result: { kind: 'message', role: 'agent', messageId: input.messageId, parts: [textPart(input.text)] },
  };
}
