import { routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { type PeerInfo, readPeerInfo } from '../peers/peer-info.ts';
import { call, send } from '../platform-api/call.ts';
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
  for (const { id, url } of peers) directory.remember(id, url);
  return peers;
}

/** The peer's URL, cached for a limited time; `null` when the platform knows none. */
export async function discoverPeerUrl(
  { peers, transport }: ClientContext,
  peerId: string,
  { signal }: CallOptions,
): Promise<string | null> {
  const known = peers.find(peerId);
  if (known !== undefined) return known;
  try {
    const { url } = await call(transport, routes.discover, { params: { id: peerId }, signal });
    return peers.remember(peerId, url) ?? null;
  } catch (error) {
    if (ApiError.isInstance(error) && isUnavailable(error)) return null;
    throw error;
  }
}

/** The peer is unknown or not running. A 404 without an error code comes from a gateway and means neither. */
function isUnavailable(error: ApiError): boolean {
  if (error.status === 404) return error.code === 'not_found';
  return error.status === 503 && typeof error.details?.status === 'string';
}
