import type { Dispatcher, Pool } from 'undici';
import type { PlatformProxy } from '../settings/platform-proxy.ts';
import { processState } from '../storage/process-state.ts';
import { openProxyPool } from './proxy-pool.ts';

/** Loads the pool without the rest of undici, most of which is `fetch`; falls back to all of undici if that file has moved. */
export async function loadPool(): Promise<typeof Pool> {
  const part = await import('undici/lib/dispatcher/pool.js').catch(() => undefined);
  return part?.default ?? (await import('undici')).Pool;
}

export interface LazyPoolOptions {
  readonly origin: string;
  readonly proxy: PlatformProxy | null;
  /** Whether other clients of the process use the same connections. */
  readonly isShared: boolean;
}

interface OpenPool {
  /** The clients that have not been closed. */
  users: number;
  readonly opening: Promise<Dispatcher>;
  pool: Dispatcher | undefined;
}

/**
 * The connections to one origin. All clients of a process share them, each with a limit of its own; the last one closes them.
 * Created with the first request, because loading undici takes longer than loading the rest of this package.
 */
export class LazyPool {
  readonly #options: LazyPoolOptions;
  readonly #key: string;
  #joined: OpenPool | undefined;

  constructor(options: LazyPoolOptions) {
    const { origin, proxy } = options;
    this.#options = options;
    this.#key = proxy === null ? origin : `${origin} through ${proxy.id}`;
  }

  dispatcher(): Dispatcher | Promise<Dispatcher> {
    this.#joined ??= this.#join();
    return this.#joined.pool ?? this.#joined.opening;
  }

  /** Closes the connections unless another client uses them: then pending requests of this one have to be ended by their controllers. */
  async leave(reason: Error): Promise<void> {
    const joined = this.#joined;
    if (joined === undefined) return;
    joined.users -= 1;
    if (joined.users > 0) return;
    if (sharedPools().get(this.#key) === joined) sharedPools().delete(this.#key);
    const pool = await joined.opening.catch(() => undefined);
    await pool?.destroy(reason);
  }

  #join(): OpenPool {
    const { isShared } = this.#options;
    const known = isShared ? sharedPools().get(this.#key) : undefined;
    const joined = known ?? openPool(this.#options);
    if (isShared) sharedPools().set(this.#key, joined);
    joined.users += 1;
    return joined;
  }
}

function sharedPools(): Map<string, OpenPool> {
  return processState('connection-pools', () => new Map<string, OpenPool>());
}

function openPool({ origin, proxy }: LazyPoolOptions): OpenPool {
  const opened: OpenPool = { users: 0, pool: undefined, opening: open() };
  return opened;

  async function open(): Promise<Dispatcher> {
    const limits = { pipelining: 1, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 10_000 };
    const pool = proxy === null ? new (await loadPool())(origin, limits) : await openProxyPool(proxy, limits);
    opened.pool = pool;
    return pool;
  }
}
