import type { buildConnector, Dispatcher, Pool } from 'undici';
import { openTunnel } from '../heartbeat-worker/proxy-tunnel.ts';
import type { ConnectionSettings } from '../settings/connection-settings.ts';
import type { PlatformProxy } from '../settings/platform-proxy.ts';
import { processState } from '../storage/process-state.ts';

/** Loads the pool without the rest of undici, most of which is `fetch`; falls back to all of undici if that file has moved. */
export async function loadPool(): Promise<typeof Pool> {
  const part = await import('undici/lib/dispatcher/pool.js').catch(() => undefined);
  return part?.default ?? (await import('undici')).Pool;
}

/** `isShared`: whether other clients of the process use the same connections. */
type PoolSettings = Pick<ConnectionSettings, 'platformOrigin' | 'proxy' | 'isShared'>;

interface OpenPool {
  /** The clients that have not been closed. */
  users: number;
  readonly opening: Promise<Dispatcher>;
}

/**
 * The connections to one origin. All clients of a process share them, each with a limit of its own; the last one closes them.
 * Created with the first request, because loading undici takes longer than loading the rest of this package.
 */
export class LazyPool {
  readonly #settings: PoolSettings;
  #joined: OpenPool | undefined;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
  }

  open(): Promise<Dispatcher> {
    if (this.#joined === undefined) {
      const { isShared } = this.#settings;
      const key = keyOf(this.#settings);
      const known = isShared ? sharedPools().get(key) : undefined;
      this.#joined = known ?? { users: 0, opening: openPool(this.#settings) };
      if (isShared) sharedPools().set(key, this.#joined);
      this.#joined.users += 1;
    }
    return this.#joined.opening;
  }

  /** Closes the connections unless another client uses them: then pending requests of this one have to be ended by their controllers. */
  async leave(reason: Error): Promise<void> {
    const joined = this.#joined;
    if (joined === undefined) return;
    joined.users -= 1;
    if (joined.users > 0) return;
    const key = keyOf(this.#settings);
    if (sharedPools().get(key) === joined) sharedPools().delete(key);
    const pool = await joined.opening.catch(() => undefined);
    await pool?.destroy(reason);
  }
}

function keyOf({ platformOrigin, proxy }: PoolSettings): string {
  return proxy === null ? platformOrigin : `${platformOrigin} through ${proxy.id}`;
}

function sharedPools(): Map<string, OpenPool> {
  return processState('connection-pools', () => new Map<string, OpenPool>());
}

async function openPool({ platformOrigin, proxy }: PoolSettings): Promise<Dispatcher> {
  const limits = { pipelining: 1, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 10_000 };
  if (proxy !== null) return openProxyPool(platformOrigin, proxy, limits);
  const PoolClass = await loadPool();
  return new PoolClass(platformOrigin, limits);
}

/** Connections to one origin through a proxy. */
async function openProxyPool(
  origin: string,
  proxy: PlatformProxy,
  limits: Pool.Options,
): Promise<Dispatcher> {
  const { Pool: PoolClass, buildConnector } = await import('undici');
  const isTls = origin.startsWith('https:');
  const startTls = buildConnector({});
  const connect: buildConnector.connector = (options, callback) => {
    const port = Number(options.port) || (isTls ? 443 : 80);
    openTunnel(proxy, options.hostname, port, (failure, socket) => {
      // Its code means something else to undici if it is that of a certificate.
      if (socket === undefined) callback(new Error('The proxy failed.', { cause: failure }), null);
      else if (isTls) startTls({ ...options, httpSocket: socket }, callback);
      else callback(null, socket);
    });
  };
  return new PoolClass(origin, { ...limits, connect });
}
