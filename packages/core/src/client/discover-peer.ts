import { ApiError } from '../errors/api-error.ts';
import { getDiscover } from '../platform-api/registry.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

/** The peer's address, from memory when it is fresh; `null` when the platform has none for it. */
export async function discoverPeerUrl(
  { peers, transport }: ClientContext,
  peerId: string,
  options: CallOptions,
): Promise<string | null> {
  const known = peers.find(peerId);
  if (known !== undefined) return known;
  try {
    const { url } = await getDiscover(transport, peerId, options);
    return peers.remember(peerId, url) ?? null;
  } catch (error) {
    if (ApiError.isInstance(error) && isUnavailable(error)) return null;
    throw error;
  }
}

/** Unknown to the platform, or known and not running. A bare 404 is neither: that is a gateway. */
function isUnavailable(error: ApiError): boolean {
  if (error.status === 404) return error.code === 'not_found';
  return error.status === 503 && typeof error.details?.status === 'string';
}
