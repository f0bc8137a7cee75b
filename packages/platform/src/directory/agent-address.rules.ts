import type { UrlCheck } from '@molecule-ai/net-guard';
import type { DeliveryMode } from '@molecule-ai/protocol';
import { ApiError } from '../http/api-error.ts';

/** Where and how messages reach an agent. */
export interface AgentAddress {
  readonly url: string | null;
  readonly deliveryMode: DeliveryMode;
}

/** What a request says about it; a missing key is `undefined`. */
export interface RequestedAddress {
  readonly url?: string | null | undefined;
  readonly deliveryMode?: DeliveryMode | undefined;
}

/**
 * Decides the address from what is asked for and what is stored (wire contract 8, rows 7 to 9). A URL means push;
 * an empty one or the placeholder `remote:` means poll; nothing said keeps what is stored. A polling agent's URL is
 * neither looked at nor kept. Push needs a URL that the guard lets through; names are resolved only on connecting.
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

/** The URL, or null when it only says that there is none. */
function withoutPlaceholder(url: string | null): string | null {
  const trimmed = (url ?? '').trim();
  return trimmed === '' || /^remote:/i.test(trimmed) ? null : trimmed;
}

function requireSafeUrl(url: string, checkUrl: (url: string) => UrlCheck): string {
  const check = checkUrl(url);
  if (check.ok) return url;
  throw new ApiError(400, 'unsafe_url', `unsafe workspace URL: ${check.message}`, {
    extras: {
      field: 'url',
      hint: 'Use a public http or https URL, or delivery_mode "poll"; an operator can allow private networks.',
    },
  });
}

function urlRequired(): ApiError {
  return new ApiError(400, 'url_required', 'url is required for push-mode workspaces', {
    extras: { field: 'url' },
  });
}
