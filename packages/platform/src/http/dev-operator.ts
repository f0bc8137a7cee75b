import type { IncomingHttpHeaders } from 'node:http';

/** A request as the dev rule sees it: the socket, the headers and the port we listen on. */
export interface DevRequest {
  readonly remoteAddress: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly port: number;
}

const LOCAL_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const TUNNEL_HEADER = /^(?:forwarded$|x-forwarded-|via$|cf-)/;

/**
 * Whether a request without `Authorization` is the operator in dev mode: only from this machine, addressed
 * to this machine, not through a tunnel, not in a workspace's name, and not by somebody else's web page.
 */
export function isDevOperator({ remoteAddress, headers, port }: DevRequest): boolean {
  if (headers.authorization !== undefined) return false;
  if (!isLoopbackAddress(remoteAddress)) return false;
  const ownHosts = localHosts(port);
  if (!ownHosts.includes((headers.host ?? '').toLowerCase())) return false;
  const names = Object.keys(headers);
  if (names.some((name) => TUNNEL_HEADER.test(name))) return false;
  if (names.includes('x-workspace-id') || names.includes('x-source-workspace-id')) return false;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'none' && site !== 'same-origin') return false;
  return !isForeignPage(headers, (origin) => ownHosts.some((host) => origin === `http://${host}`));
}

/** The `Host` values that mean this machine; the port may be left out only when it is HTTP's own. */
function localHosts(port: number): string[] {
  const withPort = LOCAL_NAMES.map((name) => `${name}:${port}`);
  return port === 80 ? [...withPort, ...LOCAL_NAMES] : withPort;
}

/** True for 127.0.0.0/8, `::1` and the IPv4 ones written as IPv6. */
function isLoopbackAddress(address: string | undefined): boolean {
  return address !== undefined && /^(?:::1|(?:::ffff:)?127\.\d+\.\d+\.\d+)$/i.test(address);
}

/**
 * True when a browser page that is not ours made the request. Only credentials that a browser adds by itself
 * (the session cookie, the dev operator) need this; a bearer never does. `null` is what browsers
 * write for a page without an origin, so it counts as foreign; free text such as `my-agent/1.0` does not.
 */
export function isForeignPage(headers: IncomingHttpHeaders, isOurs: (origin: string) => boolean): boolean {
  const origin = headers.origin;
  if (origin !== undefined && (origin === 'null' || /^https?:\/\//i.test(origin))) {
    if (!isOurs(origin.toLowerCase())) return true;
    return false;
  }
  const site = headers['sec-fetch-site'];
  return site !== undefined && site !== 'none' && site !== 'same-origin';
}
