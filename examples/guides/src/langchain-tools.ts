import type { PeerClient } from '@molecule-ai/core';
import { createPeerTools } from '@molecule-ai/langchain';

/** Asks a peer without a model. */
export async function askLab(client: PeerClient, labId: string, signal: AbortSignal) {
  const [callPeer] = createPeerTools(client, { only: ['call_peer'] });
  const result = await callPeer.invoke({ peer_id: labId, text: 'Can we ship?' }, { signal });
  return {
    forModel: result.content, // the words of the lab are in a fence
    forPeople: result.artifact.status === 'answered' ? result.artifact.text : 'no answer yet',
    isError: result.status === 'error',
  };
}
