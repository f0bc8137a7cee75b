import {
  extractMessageText,
  isJsonObject,
  type JsonObject,
  mapAnswerText,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';

/**
 * A message that brings an answer, as its receiver gets it: each text part wrapped by itself, and the joined
 * text, wrapped once, as `params.result` (decisions 11 and 19). The stored message stays as the peer wrote it.
 */
export function wrapAnswerMessage(envelope: JsonObject, wrap: boolean): JsonObject {
  const params = envelope.params;
  if (!isJsonObject(params)) return envelope;
  const text = extractMessageText(envelope);
  const shown = wrap ? mapAnswerText(params, wrapA2aBoundary) : params;
  return { ...envelope, params: { ...shown, result: wrap ? wrapA2aBoundary(text) : text } };
}
