import type { IncomingHttpHeaders } from 'node:http';

/** The parts of a request that decide: the remote address, the version of HTTP, the headers and the local port. */
export interface DevRequest {
  readonly remoteAddress: string | undefined;
  /** As Node has it: `1.1`. */
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly port: number;
}

const LOCAL_NAMES = ['localhost', '127.0.0.1', '[::1]'];
/** What proxies and tunnels add: the standard ones, load balancers, CDNs, cloudflared, ngrok, Tailscale. */
const TUNNEL_HEADER = new RegExp(
  `^(?:${[
    'forwarded$',
    'via$',
    'cdn-loop$',
    'x-forwarded(?:-|$)',
    'x-(?:real|client|cluster-client|remote|true-client|envoy-external)-?(?:ip|addr|address)$',
    'true-client-ip$',
    'x-original-',
    'x-envoy-',
    'x-(?:azure|appengine|amzn|amz-cf|arr)-',
    'fastly-',
    'fly-',
    'cf-',
    '(?:x-)?ngrok-',
    'tailscale-',
  ].join('|')})`,
);

/**
 * Whether a request without `Authorization` counts as the operator in dev mode: only from this machine, addressed
 * to this machine, not through a proxy or tunnel, not for a workspace, and not from another site's web page. Current
 * clients send HTTP/1.1; HTTP/1.0 is what nginx sends to a server by default, up to 1.29.6.
 */
export function isDevOperator({ remoteAddress, httpVersion, headers, port }: DevRequest): boolean {
  if (headers.authorization !== undefined) return false;
  if (httpVersion !== '1.1') return false;
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

/** The `Host` values of this machine; the port may be missing only when it is 80. */
function localHosts(port: number): string[] {
  const withPort = LOCAL_NAMES.map((name) => `${name}:${port}`);
  return port === 80 ? [...withPort, ...LOCAL_NAMES] : withPort;
}

/** True for 127.0.0.0/8, `::1` and IPv4-mapped loopback addresses. */
function isLoopbackAddress(address: string | undefined): boolean {
  return address !== undefined && /^(?:::1|(?:::ffff:)?127\.\d+\.\d+\.\d+)$/i.test(address);
}

/**
 * True when a browser page of another site made the request. Only credentials that a browser adds automatically
 * (the session cookie, the dev operator) need this check; a bearer does not. Browsers send `null` for a page without
 * an origin, so it counts as foreign; free text such as `my-agent/1.0` does not.
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
