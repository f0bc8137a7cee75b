import type { PeerReply } from '../peers/peer-reply.ts';
import type { ClientContext } from './client-context.ts';
import { type CallPeerOptions, sendThroughProxy } from './peer-calls.ts';

/** Sends a message of this workspace; `holdSeconds: 0` does not wait for the answer. */
export async function sendAsWorkspace(
  { abandoned, returned, transport, settings }: ClientContext,
  peerId: string,
  text: string,
  options: CallPeerOptions & { readonly holdSeconds?: number },
): Promise<PeerReply> {
  const { workspaceId } = settings;
  const reply = await sendThroughProxy(transport, peerId, text, {
    ...options,
    timeoutMs: options.timeoutMs ?? settings.callTimeoutMs,
    isWrapped: true,
    isInNewContext: true,
    onAbandoned: (messageId) => abandoned.cancel({ workspaceId, messageId }),
  });
  returned.add(reply);
  return reply;
}
