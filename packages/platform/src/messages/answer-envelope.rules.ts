import {
  buildSendMessage,
  type ErrorBody,
  extractAnswerText,
  extractParts,
  isJsonObject,
  type JsonObject,
  textPart,
} from '@molecule-ai/protocol';
import type { MessageRecord } from '../database/schema.ts';

/** The answer that a reply message gives to its question: the message itself under the question's JSON-RPC id. */
export function answerOfReply(reply: JsonObject, question: JsonObject | undefined): JsonObject {
  const params = reply.params;
  const message = isJsonObject(params) ? params.message : undefined;
  return {
    jsonrpc: '2.0',
    id: question?.id ?? null,
    result: { ...(isJsonObject(message) ? message : {}), kind: 'message', role: 'agent' },
  };
}

/**
 * The message that brings an answer to a caller who no longer waits (decision 11): role `agent` and `in_reply_to`,
 * so that nobody answers it. Bare text; it is wrapped where an agent gets it.
 */
export function answerMessage(question: MessageRecord, answer: JsonObject): JsonObject {
  const parts = extractParts(answer);
  const text = extractAnswerText(answer);
  const messageId = `answer-${question.queue_id}`;
  const envelope = buildSendMessage({
    messageId,
    role: 'agent',
    parts: [textPart(text)],
    metadata: about(question),
  });
  const message = { ...envelope.params.message, parts: parts.length === 0 ? [textPart(text)] : parts };
  return { ...envelope, params: { message } } as unknown as JsonObject;
}

/** The message that tells a caller who no longer waits that its message failed for good. */
export function failureMessage(question: MessageRecord, error: ErrorBody): JsonObject {
  const text = `Your message ${question.message_id} was not answered: ${error.error ?? 'delivery failed'}`;
  const code = error.code ?? 'agent_error';
  const envelope = buildSendMessage({
    messageId: `failure-${question.queue_id}`,
    role: 'agent',
    text,
    metadata: { ...about(question), delivery_failed: true, code },
  });
  return envelope as unknown as JsonObject;
}

function about(question: MessageRecord): JsonObject {
  return { in_reply_to: question.message_id, in_reply_to_activity: question.activity_id };
}
