import type { UrlCheck } from '@molecule-ai/net-guard';
import type { DeliveryMode } from '@molecule-ai/protocol';
import { HttpError } from '../http/http-error.ts';

/** The URL and delivery mode of an agent. */
export interface AgentAddress {
  readonly url: string | null;
  readonly deliveryMode: DeliveryMode;
}

/** The address in a request; a missing key is `undefined`. */
export interface RequestedAddress {
  readonly url?: string | null | undefined;
  readonly deliveryMode?: DeliveryMode | undefined;
}

/**
 * Decides the address from the request and the stored one. A URL means push; an empty one or the placeholder
 * `remote:` means poll; a request with neither keeps the stored address. The URL of a polling agent is neither
 * validated nor stored. Push needs a URL that the guard allows; names are resolved only when connecting. See
 * docs/contract/presence.md#delivery-mode.
 */
export function decideAgentAddress(
  requested: RequestedAddress,
  stored: AgentAddress,
  checkUrl: (url: string) => UrlCheck,
): AgentAddress {
  const { deliveryMode } = requested;
  if (deliveryMode === 'poll') return { url: null, deliveryMode: 'poll' };
  const named = requested.url === undefined ? undefined : withoutPlaceholder(requested.url);
  if (named === null) {
    if (deliveryMode === 'push') throw urlRequired();
    return { url: null, deliveryMode: 'poll' };
  }
  if (named !== undefined) return { url: requireSafeUrl(named, checkUrl), deliveryMode: 'push' };
  if (deliveryMode === undefined) return stored;
  if (stored.url === null) throw urlRequired();
  return { url: stored.url, deliveryMode };
}

/** The URL, or null for an empty one and for the placeholder. */
function withoutPlaceholder(url: string | null): string | null {
  const trimmed = (url ?? '').trim();
  return trimmed === '' || /^remote:/i.test(trimmed) ? null : trimmed;
}

function requireSafeUrl(url: string, checkUrl: (url: string) => UrlCheck): string {
  const check = checkUrl(url);
  if (check.ok) return url;
  throw new HttpError(400, 'unsafe_url', `unsafe workspace URL: ${check.message}`, {
    field: 'url',
    hint: 'Use a public http or https URL, or delivery_mode "poll"; an operator can allow private networks.',
  });
}

function urlRequired(): HttpError {
  return new HttpError(400, 'url_required', 'url is required for push-mode workspaces', { field: 'url' });
}
