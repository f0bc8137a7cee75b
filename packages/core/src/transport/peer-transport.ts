import { BODY_LIMITS } from '@molecule-ai/protocol';
import type { Dispatcher, Pool } from 'undici';
import type { ClientSettings } from '../settings/client-settings.ts';
import { USER_AGENT } from '../settings/sdk-version.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { clientClosed } from './connection-failure.ts';
import { type HttpAttempt, OpenExchanges, type StreamedResponse } from './http-exchange.ts';
import type { HttpResponse } from './http-response.ts';
import { loadPool } from './undici-pool.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const BODY_TIMEOUT_MS = 10_000;
/** Below the five seconds after which Node's servers close idle connections. */
const IDLE_MS = 4_000;
/** Origins with connections at the same time; those of the least recently used one are closed when its requests have ended. */
const MAX_ORIGINS = 32;

export interface PeerTransportSettings
  extends Pick<ClientSettings, 'clock' | 'peerAddresses' | 'maxConnections'> {
  /** Returns all addresses of a name. @default the operating system's resolver */
  readonly resolve?: ((hostname: string) => Promise<readonly { readonly address: string }[]>) | undefined;
}

/** Where the server of a peer is: at an http or https URL. */
export interface PeerServer {
  readonly origin: string;
  /** With the query. */
  readonly path: string;
}

/** What is sent to a peer; the bearer is a token for this peer and a few minutes, or `undefined` for none. */
export interface PeerRequest
  extends Pick<
    HttpAttempt,
    'headers' | 'bearer' | 'body' | 'timeoutMs' | 'signal' | 'onSent' | 'isStreamed'
  > {
  readonly server: PeerServer;
}

const HEADERS = ['user-agent', USER_AGENT];

type Connector = Pool.Options['connect'];

/**
 * Posts to the servers of peers. It has no access to the platform's credential: what it sends is in the request. Every
 * connection passes the address guard, redirects are not followed, and responses are limited in size and time.
 */
export class PeerTransport {
  readonly #settings: PeerTransportSettings;
  /** By origin, the most recently used last. */
  readonly #pools = new LatestMap<Pool>(Number.POSITIVE_INFINITY);
  readonly #open: OpenExchanges;
  #newPool: Promise<(origin: string) => Pool> | undefined;
  #isClosed = false;

  constructor(settings: PeerTransportSettings) {
    this.#settings = settings;
    this.#open = new OpenExchanges(settings.clock, Number.POSITIVE_INFINITY);
  }

  /** Rejects with a `ConnectionError` or a `TimeoutError`, which say whether the request was sent, or with the signal's reason. */
  async post(request: PeerRequest): Promise<HttpResponse | StreamedResponse> {
    const { server, ...rest } = request;
    this.#newPool ??= this.#load();
    return this.#open.exchange(this.#poolFor(server.origin, await this.#newPool), {
      ...rest,
      origin: server.origin,
      method: 'POST',
      path: server.path,
      base: HEADERS,
      bodyTimeoutMs: BODY_TIMEOUT_MS,
      maxResponseBytes: BODY_LIMITS.agentResponse,
    });
  }

  /** Closes all connections; pending requests reject with `client_closed`. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const pools: Dispatcher[] = [...this.#pools.values()];
    this.#pools.clear();
    this.#open.cancelAll(clientClosed());
    await Promise.all(pools.map((pool) => pool.destroy(clientClosed())));
  }

  #poolFor(origin: string, newPool: (origin: string) => Pool): Pool {
    if (this.#isClosed) throw clientClosed();
    const pool = this.#pools.get(origin) ?? newPool(origin);
    this.#pools.set(origin, pool);
    if (this.#pools.size > MAX_ORIGINS)
      void this.#pools
        .deleteOldest()
        ?.close()
        .catch(() => {});
    return pool;
  }

  /** With the first call of a peer, because the guard and undici take longer to load than the rest of this package. */
  async #load(): Promise<(origin: string) => Pool> {
    const { peerAddresses: policy, maxConnections, resolve } = this.#settings;
    const [PoolClass, { createAddressGuard }] = await Promise.all([
      loadPool(),
      import('@molecule-ai/net-guard'),
    ]);
    const guard = createAddressGuard({
      policy,
      resolve,
      connectOptions: { timeout: CONNECT_TIMEOUT_MS, allowH2: false },
    });
    const connect: Connector = guard.connect;
    return (origin) =>
      new PoolClass(origin, {
        connect,
        connections: maxConnections,
        pipelining: 1,
        headersTimeout: 0,
        bodyTimeout: 0,
        keepAliveTimeout: IDLE_MS,
        allowH2: false,
      });
  }
}
