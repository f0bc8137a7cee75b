import {
  type ErrorBody,
  errorStatus,
  extractAnswerText,
  isErrorCode,
  isJsonObject,
  type JsonObject,
  mapAnswerText,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';
import type { MessageRecord } from '../database/schema.ts';
import { ApiError } from '../http/api-error.ts';

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
