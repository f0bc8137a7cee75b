import type { A2aMessage, MessagePart, SendMessageRequest } from './message.ts';
import type { JsonObject } from './open-json.ts';

/** A text part in the one form that every reader understands (decision 26). */
export function textPart(text: string): { kind: 'text'; type: 'text'; text: string } {
  return { kind: 'text', type: 'text', text };
}

/** What {@link buildSendMessage} needs; `text` or `parts`, and `id` defaults to the message id. */
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

/** What an agent answers to `message/send` (decision 26). */
export interface AnswerEnvelope {
  jsonrpc: '2.0';
  id: string | number | null;
  result: { kind: 'message'; role: 'agent'; messageId: string; parts: MessagePart[] };
}

/** A JSON-RPC answer with one text part; `id` is the id of the request. */
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
