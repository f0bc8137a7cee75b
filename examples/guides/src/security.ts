// #region prompt
import {
  fencePeerText,
  type InboundMessage,
  type MessageHandler,
  MoleculeError,
  messageForModel,
  type PeerClient,
  peerTextInstructions,
} from '@molecule-ai/core';

/** What a model reads of a message. */
export function promptFor(instructions: string, message: InboundMessage) {
  return [
    { role: 'system', content: `${instructions}\n\n${peerTextInstructions}` },
    { role: 'user', content: messageForModel(message) }, // a person's words as they are, all others fenced
  ];
}
// #endregion prompt

// #region tool
/** The body of a tool by which a model asks a peer. */
export async function askPeer(
  client: PeerClient,
  { peerId, question }: { peerId: string; question: string },
  signal: AbortSignal,
): Promise<string> {
  try {
    const reply = await client.callPeer(peerId, question, { signal });
    return `${reply.status}\n${reply.forModel()}`;
  } catch (error) {
    if (!MoleculeError.isInstance(error)) throw error;
    return `${error.message} ${error.hint ?? ''}`; // has no words of the peer
  }
}
// #endregion tool

// #region parts
/** The data that a peer sent along, for a model. */
export function dataForModel({ parts, sourceId }: InboundMessage): string {
  return fencePeerText(JSON.stringify(parts), { origin: sourceId });
}
// #endregion parts

// #region choose
/** Does one of the things that there are, for those who may ask for it. */
export const operations =
  (leadId: string, things: ReadonlyMap<string, () => Promise<string>>): MessageHandler =>
  async (message) => {
    // Who sent it is what the platform says, not what the text says.
    if (message.source !== 'peer_agent' || message.sourceId !== leadId) return 'I do that for the lead only.';
    const thing = things.get(message.text.trim()); // chosen from a list, not made from the text
    return thing === undefined ? `I can do: ${[...things.keys()].join(', ')}` : thing();
  };
// #endregion choose
