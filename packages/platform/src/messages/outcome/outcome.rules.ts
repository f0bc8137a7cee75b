import {
  buildSendMessage,
  type ErrorBody,
  errorStatus,
  extractAnswerText,
  extractParts,
  isErrorCode,
  isJsonObject,
  type JsonObject,
  type MessageView,
  mapAnswerText,
  textPart,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';
import type { MessageRecord } from '../../database/schema.ts';
import { ApiError } from '../../http/api-error.ts';

/** How a message ended: with the agent's answer as it gave it, or with an error that is final. */
export type Outcome =
  | { readonly state: 'answered'; readonly answer: JsonObject }
  | { readonly state: 'failed'; readonly error: ErrorBody };

/** The outcome that is stored with a message, or undefined while there is none. */
export function storedOutcome(
  message: Pick<MessageRecord, 'state' | 'answer' | 'error'>,
): Outcome | undefined {
  if (message.state === 'answered' && message.answer !== null) {
    return { state: 'answered', answer: JSON.parse(message.answer) as JsonObject };
  }
  if (message.state === 'failed' && message.error !== null) {
    return { state: 'failed', error: JSON.parse(message.error) as ErrorBody };
  }
  return undefined;
}

/**
 * A peer's answer as a calling agent gets it: each text part wrapped by itself and, for results that are objects,
 * `result.text` as the joined text wrapped once (decision 19).
 */
export function wrapAnswer(answer: JsonObject): JsonObject {
  const wrapped = mapAnswerText(answer, wrapA2aBoundary);
  const result = wrapped.result;
  if (!isJsonObject(result)) return wrapped;
  const text = extractAnswerText(answer);
  return text === '' ? wrapped : { ...wrapped, result: { ...result, text: wrapA2aBoundary(text) } };
}

/** The answer under the JSON-RPC id of the request that asks for it now; a repeated call may carry another one. */
export function underRequestId(answer: JsonObject, request: JsonObject): JsonObject {
  const id = request.id;
  return 'jsonrpc' in answer && id !== undefined ? { ...answer, id } : answer;
}

/** A final error as the HTTP error that the caller gets. */
export function failureToError({ error, code: given, ...extras }: ErrorBody): ApiError {
  const code = isErrorCode(given) ? given : 'agent_error';
  // What is a wrong field of a registration is a bad gateway for a call.
  const status = code === 'unsafe_url' ? 502 : errorStatus(code);
  return new ApiError(status, code, error ?? 'delivery failed', { extras });
}

/** The answer that a reply message gives to its question: the message itself under the question's JSON-RPC id. */
export function answerOfReply(
  reply: Pick<MessageView, 'message'>,
  question: JsonObject | undefined,
): JsonObject {
  const result = { ...reply.message, kind: 'message', role: 'agent' };
  return { jsonrpc: '2.0', id: question?.id ?? null, result };
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
