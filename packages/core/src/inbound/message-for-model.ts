import { fencePeerText, type InboundMessage, stripA2aBoundary } from '@molecule-ai/protocol';

/**
 * The text of a message in the form in which a model may read it (decision 22). What the user on the canvas wrote is
 * the user's turn and stays as it is. What anybody else wrote is fenced; of an answer, the boundary markers come off
 * first. Pair it with `peerTextInstructions` in the system prompt.
 */
export function messageForModel(
  message: Pick<InboundMessage, 'source' | 'peerId' | 'inReplyTo' | 'text'>,
): string {
  const { source, peerId, inReplyTo, text } = message;
  if (source === 'canvas_user') return text;
  return fencePeerText(inReplyTo === '' ? text : stripA2aBoundary(text), { origin: peerId });
}
