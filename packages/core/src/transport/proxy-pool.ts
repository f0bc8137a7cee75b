import type { Dispatcher, Pool } from 'undici';
import { proxyFailure, proxyResponse } from '../errors/proxy-failure.ts';
import type { PlatformProxy } from '../settings/platform-proxy.ts';

/** How long the proxy may take to connect to the platform, in milliseconds. */
const TUNNEL_TIMEOUT_MS = 10_000;

/**
 * Connections to one origin through a proxy, by CONNECT for http as well: the proxy gets the bytes of a connection to the
 * platform, and no request with the bearer.
 */
export async function openProxyPool(proxy: PlatformProxy, limits: Pool.Options): Promise<Dispatcher> {
  const { Pool: PoolClass, ProxyAgent } = await import('undici');
  return new ProxyAgent({
    ...limits,
    uri: proxy.origin,
    ...(proxy.authorization === null ? {} : { token: proxy.authorization }),
    proxyTunnel: true,
    proxyTls: { allowH2: false },
    clientFactory: (origin, options) =>
      withOwnErrors(new PoolClass(origin, { ...options, headersTimeout: TUNNEL_TIMEOUT_MS })),
  });
}

/** The name for TLS with the proxy, which may not be an address. */
type NamedConnect = Dispatcher.ConnectOptions & { readonly servername?: string };

function withoutAddress({ servername = '', ...rest }: NamedConnect): Dispatcher.ConnectOptions {
  const { isIP } = process.getBuiltinModule('node:net');
  return isIP(servername.replace(/^\[(.*)\]$/, '$1')) === 0 ? { ...rest, ...{ servername } } : rest;
}

type Connect = (this: Pool, options: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData>;

/** Its errors are those of the proxy, apart from the errors of the connections to the platform. */
function withOwnErrors(connections: Pool): Pool {
  const open: Connect = connections.connect;
  const connect = async (options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> => {
    const connected = await open.call(connections, withoutAddress(options)).catch((error: unknown) => {
      throw proxyFailure(error);
    });
    if (connected.statusCode === 200) return connected;
    connected.socket.on('error', () => {}).destroy();
    throw proxyResponse(connected.statusCode);
  };
  return Object.assign(connections, { connect });
}
