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
import { ApiError } from '../../http/api-error.ts';
import type { MessageRow } from '../message.store.ts';

/** How a message ended: with the agent's answer as it gave it, or with an error that is final. */
export type Outcome =
  | { readonly state: 'answered'; readonly answer: JsonObject }
  | { readonly state: 'failed'; readonly error: ErrorBody };

/** The outcome that is stored with a message, or undefined while there is none. */
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
 * A peer's answer as a calling agent gets it: each text part wrapped by itself and, for results that are objects,
 * `result.text` as the joined text wrapped once.
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

/** The answer that a reply message gives: the message itself under the JSON-RPC id of the request it answers. */
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
 * The message that delivers an outcome to a caller who no longer waits: role `agent` and `in_reply_to`, so that
 * nobody answers it. Bare text; it is wrapped where an agent gets it.
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
