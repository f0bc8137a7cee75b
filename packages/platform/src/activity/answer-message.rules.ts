import {
  isJsonObject,
  type JsonObject,
  type MessageView,
  mapAnswerText,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';

/**
 * A message that brings an answer, as its receiver gets it: each text part wrapped by itself, and the joined
 * text, wrapped once, as `params.result` (decisions 11 and 19). The stored message stays as the peer wrote it.
 */
export function wrapAnswerMessage({ envelope, params, text }: MessageView, wrap: boolean): JsonObject {
  if (!isJsonObject(envelope.params)) return envelope;
  const shown = wrap ? mapAnswerText(params, wrapA2aBoundary) : params;
  return { ...envelope, params: { ...shown, result: wrap ? wrapA2aBoundary(text) : text } };
}
