import { type AddressPolicy, resolvePolicy } from './address-policy.ts';
import { checkAddress, loopbackAllowed } from './check-address.ts';
import { isLocalhost, readHost } from './host-name.ts';
import { describeRefusal, type RefusalReason } from './refusal-reason.ts';

export type UrlCheck =
  | {
      readonly ok: true;
      /** The parsed URL, its host without a trailing dot. Use this URL for requests. */
      readonly url: URL;
      /** The host in lower case, without brackets, port or trailing dot. */
      readonly host: string;
      /** `literal`: the address was checked. `name`: it is resolved and checked when connecting. */
      readonly kind: 'literal' | 'name';
    }
  | {
      readonly ok: false;
      readonly reason: RefusalReason;
      /** A sentence for the author of the URL; contains no credentials and no query. */
      readonly message: string;
    };

/**
 * Checks a URL without network access: http or https, no credentials, and a literal address or `localhost` must be
 * allowed by the policy. Never throws for an invalid URL. A name is **not** resolved: it may not resolve yet, and its
 * addresses are checked when connecting. A name that passes is therefore not known to be safe.
 *
 * @throws TypeError when the policy is invalid.
 */
export function checkUrl(url: string | URL, policy: AddressPolicy = {}): UrlCheck {
  const resolved = resolvePolicy(policy);
  const text = String(url);
  const parsed = URL.parse(text);
  if (parsed === null) return refuse('The URL', hasZoneId(text) ? 'zone_id' : 'invalid_url');
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    return refuse(parsed.hostname || 'The URL', 'unsupported_scheme');
  }
  const host = readHost(parsed.hostname);
  if (host === undefined) return refuse('The URL', 'invalid_url');
  if (parsed.username !== '' || parsed.password !== '') return refuse(host.host, 'credentials_in_url');
  if (host.kind === 'literal') {
    const check = checkAddress(host.host, resolved);
    if (!check.ok) return refuse(host.host, check.reason);
  } else {
    if (isLocalhost(host.host) && !loopbackAllowed(resolved)) return refuse(host.host, 'loopback');
    if (parsed.hostname !== host.host) parsed.hostname = host.host;
  }
  return { ok: true, url: parsed, ...host };
}

function refuse(host: string, reason: RefusalReason): UrlCheck {
  return { ok: false, reason, message: describeRefusal(host, reason) };
}

/** The URL parser rejects zone ids; this only selects the more specific reason. */
function hasZoneId(text: string): boolean {
  return /^\s*https?:\/\/(?:[^/?#@]*@)?\[[0-9a-f:.]*%/i.test(text);
}
