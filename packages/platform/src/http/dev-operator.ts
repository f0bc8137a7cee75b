import type { IncomingHttpHeaders } from 'node:http';
import { isForeignPage } from './browser-origin.ts';

/** What the dev rule looks at: the socket, the headers and the port we listen on. */
export interface DevRequest {
  readonly remoteAddress: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly port: number;
}

const LOCAL_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const TUNNEL_HEADER = /^(?:forwarded$|x-forwarded-|via$|cf-)/;

/**
 * Whether a request without `Authorization` is the operator in dev mode: only from this machine, addressed
 * to this machine, not through a tunnel, not in a workspace's name, and not by somebody else's web page
 * (decision 2; all conditions hold).
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
