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
  viewMessage,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';
import { HttpError } from '../../http/http-error.ts';
import type { MessageRow } from '../message.store.ts';

/** How a message ended: with the agent's answer, unchanged, or with a final error. */
export type Outcome =
  | { readonly state: 'answered'; readonly answer: JsonObject }
  | { readonly state: 'failed'; readonly error: ErrorBody };

/** The outcome of a message; undefined while there is none. */
export function storedOutcome(
  message: Pick<MessageRow, 'delivery_state' | 'response_body' | 'failure'>,
): Outcome | undefined {
  if (message.delivery_state === 'answered' && message.response_body !== null) {
    return { state: 'answered', answer: JSON.parse(message.response_body) as JsonObject };
  }
  if (message.delivery_state === 'failed' && message.failure !== null) {
    return { state: 'failed', error: JSON.parse(message.failure) as ErrorBody };
  }
  return undefined;
}

/**
 * A peer's answer in the form for a calling agent: each text part wrapped separately and, for results that are
 * objects, the joined text, wrapped once, as `result.text`.
 */
export function wrapAnswer(answer: JsonObject): JsonObject {
  const wrapped = mapAnswerText(answer, wrapA2aBoundary);
  const result = wrapped.result;
  if (!isJsonObject(result)) return wrapped;
  const text = extractAnswerText(answer);
  return text === '' ? wrapped : { ...wrapped, result: { ...result, text: wrapA2aBoundary(text) } };
}

/** The answer with the JSON-RPC id of this request; a repeated call may have another one. */
export function withRequestId(answer: JsonObject, request: JsonObject): JsonObject {
  const id = request.id;
  return 'jsonrpc' in answer && id !== undefined ? { ...answer, id } : answer;
}

/** The HTTP error for a failed message. */
export function failureToError({ error, code: given, ...extras }: ErrorBody): HttpError {
  const code = isErrorCode(given) ? given : 'agent_error';
  // For a register this is a wrong field; for a call it is a bad gateway.
  const status = code === 'unsafe_url' ? 502 : errorStatus(code);
  return new HttpError(status, code, error ?? 'delivery failed', { extras });
}

/** The answer in a reply message: the message itself with the JSON-RPC id of the request that it answers. */
export function answerOfReply(
  { message }: Pick<MessageView, 'message'>,
  requestId: string | number | null,
): JsonObject {
  return { jsonrpc: '2.0', id: requestId, result: { ...message, kind: 'message', role: 'agent' } };
}

/** The JSON-RPC id of a stored request; null when it has none. */
export function requestIdOf({
  request_body: body,
}: Pick<MessageRow, 'request_body'>): string | number | null {
  const request = body === null ? null : (JSON.parse(body) as JsonObject);
  const id = request?.id;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}

/**
 * The message that delivers an outcome to a caller that no longer waits. It has the role `agent` and `in_reply_to`, so
 * no agent answers it. The text is wrapped on delivery.
 */
export function outcomeMessage(
  request: Pick<MessageRow, 'id' | 'message_id'>,
  outcome: Outcome,
): { readonly messageId: string; readonly view: MessageView } {
  const about = { in_reply_to: request.message_id, in_reply_to_activity: request.id };
  if (outcome.state === 'answered') {
    const messageId = `answer-${request.id}`;
    const given = extractParts(outcome.answer);
    const parts = given.length === 0 ? [textPart(extractAnswerText(outcome.answer))] : given;
    const envelope = buildSendMessage({ messageId, role: 'agent', text: '', metadata: about });
    return {
      messageId,
      view: viewMessage({
        ...envelope,
        params: { message: { ...envelope.params.message, parts } },
      } as JsonObject),
    };
  }
  const { error, code = 'agent_error' } = outcome.error;
  const messageId = `failure-${request.id}`;
  const text = `Your message ${request.message_id} was not answered: ${error ?? 'delivery failed'}`;
  const metadata = { ...about, delivery_failed: true, code };
  const envelope = buildSendMessage({ messageId, role: 'agent', text, metadata });
  return { messageId, view: viewMessage(envelope as unknown as JsonObject) };
}
