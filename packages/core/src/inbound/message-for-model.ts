import { fencePeerText, type InboundMessage, stripA2aBoundary } from '@molecule-ai/protocol';

/**
 * Returns the text of a message for a model. Text of the user on the canvas is returned unchanged, as the user's turn.
 * All other text is untrusted and therefore fenced; from an answer the boundary markers are removed first. Add
 * `peerTextInstructions` to the system prompt. See docs/contract/trust-boundary.md.
 */
export function messageForModel(
  message: Pick<InboundMessage, 'source' | 'peerId' | 'inReplyTo' | 'text'>,
): string {
  const { source, peerId, inReplyTo, text } = message;
  if (source === 'canvas_user') return text;
  return fencePeerText(inReplyTo === '' ? text : stripA2aBoundary(text), { origin: peerId });
}
