import { isIP } from 'node:net';

/** A host in canonical form: `literal` for an IP address without brackets, `name` for a name to be resolved. */
export interface Host {
  host: string;
  kind: 'literal' | 'name';
}

/**
 * Parses the host name of an http(s) URL, or a bare host from undici or a user. The URL parser converts octal,
 * hexadecimal, decimal, short, full-width and percent-encoded forms of an IPv4 address to four decimal octets. One trailing
 * dot is removed. Returns `undefined` for anything else than exactly one host without a zone id.
 */
export function readHost(hostname: string): Host | undefined {
  const bare = hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
  if (bare.includes(':')) return bare.includes('%') ? undefined : readUrlHost(`[${bare}]`);
  return /[\s/\\?#@[\]]/.test(bare) ? undefined : readUrlHost(bare);
}

/** Names that always resolve to this machine (RFC 6761). */
export function isLocalhost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function readUrlHost(urlHost: string): Host | undefined {
  const url = URL.parse(`http://${urlHost}/`);
  if (url === null) return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (host === '' || host.endsWith('.')) return undefined;
  return { host, kind: isIP(host) === 0 ? 'name' : 'literal' };
}
