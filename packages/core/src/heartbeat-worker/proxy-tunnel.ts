import type { Socket } from 'node:net';
import { proxyFailure, proxyResponse } from '../errors/proxy-failure.ts';
import type { PlatformProxy } from '../settings/platform-proxy.ts';

/** How long the proxy may take to connect to the platform, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** Silence until TCP asks whether the other side is still there, as for connections without a proxy, in milliseconds. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Opens a connection through a proxy, by CONNECT for http as well: the proxy gets the bytes of a connection to the platform, and no
 * request with the bearer. For the worker of the heartbeats as well, which has no imports.
 * @param onEnd with the failure of the proxy, or the connection
 */
export function openTunnel(
  proxy: Pick<PlatformProxy, 'origin' | 'authorization'>,
  host: string,
  port: number,
  onEnd: (error: Error | null, socket?: Socket) => void,
): void {
  const { request } = process.getBuiltinModule(
    proxy.origin.startsWith('https:') ? 'node:https' : 'node:http',
  );
  const name = host.includes(':') ? ['[', host, ']'].join('') : host;
  const authority = [name, port].join(':');
  const authorization = proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization };
  const asked = request(proxy.origin, {
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...authorization },
    agent: false,
    timeout: TIMEOUT_MS,
  });
  asked.on('connect', ({ statusCode = 0 }, socket) => {
    if (statusCode === 200) {
      const connection = socket as Socket;
      connection.setTimeout(0).setKeepAlive(true, KEEP_ALIVE_MS);
      onEnd(null, connection);
      return;
    }
    socket.on('error', () => {}).destroy();
    onEnd(proxyResponse(statusCode));
  });
  asked.on('timeout', () => {
    const error = new Error('The proxy does not respond.');
    asked.destroy(Object.assign(error, { code: 'UND_ERR_CONNECT_TIMEOUT' }));
  });
  asked.on('error', (error) => onEnd(proxyFailure(error)));
  asked.end();
}
