import { type AddressPolicy, resolvePolicy } from './address-policy.ts';
import { isLocalhost, readHost } from './host-name.ts';
import { judgeAddress, loopbackAllowed } from './judge-address.ts';
import { describeRefusal, type RefusalReason } from './refusal-reason.ts';

/** What {@link checkUrl} found. */
export type UrlCheck =
  | {
      readonly ok: true;
      /** The URL as parsed, its host without a trailing dot. Use this one from here on. */
      readonly url: URL;
      /** The host alone: lower case, without brackets, port or trailing dot. */
      readonly host: string;
      /** `literal`: the address was judged. `name`: still to be resolved and judged, when connecting. */
      readonly kind: 'literal' | 'name';
    }
  | {
      readonly ok: false;
      readonly reason: RefusalReason;
      /** One sentence that may be shown to whoever gave the URL; holds no credentials and no query. */
      readonly message: string;
    };

/**
 * Checks a URL without the network, and never throws for a bad one: http or https, no credentials, and if
 * the host is a literal address, or `localhost`, one that the policy allows. A name is **not** resolved
 * here: one that does not resolve yet is fine until somebody connects (decision 1), and what it resolves to
 * is judged then. So a name that passes has not been found safe.
 *
 * @throws TypeError when the policy itself is invalid.
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
    const verdict = judgeAddress(host.host, resolved);
    if (!verdict.ok) return refuse(host.host, verdict.reason);
  } else {
    if (isLocalhost(host.host) && !loopbackAllowed(resolved)) return refuse(host.host, 'loopback');
    if (parsed.hostname !== host.host) parsed.hostname = host.host;
  }
  return { ok: true, url: parsed, ...host };
}

function refuse(host: string, reason: RefusalReason): UrlCheck {
  return { ok: false, reason, message: describeRefusal(host, reason) };
}

/** The URL parser rejects zone ids; this only picks the clearer of two reasons. */
function hasZoneId(text: string): boolean {
  return /^\s*https?:\/\/(?:[^/?#@]*@)?\[[0-9a-f:.]*%/i.test(text);
}
