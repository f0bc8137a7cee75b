import { routes } from '@molecule-ai/protocol';
import { type PeerInfo, readPeerInfo } from '../peers/peer-info.ts';
import { send } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

/** The workspaces that the agent may communicate with. Their URLs are remembered. */
export async function listPeers(
  { peers: directory, settings, transport }: ClientContext,
  { signal }: CallOptions,
): Promise<PeerInfo[]> {
  const { body } = await send(transport, routes.listPeers, { params: { id: settings.workspaceId }, signal });
  const rows: unknown[] = Array.isArray(body) ? body : [];
  const peers = rows.map(readPeerInfo).filter((peer) => peer !== undefined);
  for (const { id, url } of peers) directory.rememberListed(id, url);
  return peers;
}
