import { findClientPort } from '../client/client-port.ts';
import { isWorkspaceId } from '../settings/client-settings.ts';
import { describe } from '../settings/options.ts';

/** What is wrong with a client; `null` when nothing is. */
export function clientProblem(client: unknown): string | null {
  if (findClientPort(client) !== undefined) return null;
  return `The client must be a RemoteAgentClient, or that of a running agent or of a handler's context, got ${describe(client)}.`;
}

/** What is wrong with the id of a peer; `null` when nothing is. */
export function peerIdProblem(peerId: unknown): string | null {
  if (typeof peerId === 'string' && isWorkspaceId(peerId)) return null;
  return `The id of the peer must be a UUID as getPeers() gives it, not a name: got ${describe(peerId)}.`;
}
