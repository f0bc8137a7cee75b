import { isIP } from 'node:net';

/** A host in one spelling: `literal` for an IP address (no brackets), `name` for anything to be resolved. */
export interface Host {
  host: string;
  kind: 'literal' | 'name';
}

/**
 * Reads the host name of a parsed http(s) URL, or a bare host as undici or a user gives it. The URL parser
 * does the reading, so octal, hexadecimal, decimal, short, full-width and percent-encoded forms of an IPv4
 * address all arrive as four decimal octets. One trailing dot goes. Returns `undefined` for anything else
 * than exactly one host; a zone id is none.
 */
export function readHost(hostname: string): Host | undefined {
  const bare = hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
  if (bare.includes(':')) return bare.includes('%') ? undefined : readUrlHost(`[${bare}]`);
  return /[\s/\\?#@[\]]/.test(bare) ? undefined : readUrlHost(bare);
}

/** Names that resolve to this machine without asking anybody (RFC 6761). */
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
