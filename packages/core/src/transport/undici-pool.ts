import type { Dispatcher, Pool } from 'undici';

/** Loads the pool without the rest of undici, most of which is `fetch`; falls back to all of undici if that file has moved. */
export async function loadPool(): Promise<typeof Pool> {
  const part = await import('undici/lib/dispatcher/pool.js').catch(() => undefined);
  return part?.default ?? (await import('undici')).Pool;
}

/**
 * The connections to one origin. Created with the first request, because loading undici takes longer than loading the rest of
 * this package.
 */
export class LazyPool {
  readonly #origin: string;
  readonly #connections: number;
  #opening: Promise<Dispatcher> | undefined;
  #pool: Dispatcher | undefined;

  constructor(origin: string, connections: number) {
    this.#origin = origin;
    this.#connections = connections;
  }

  dispatcher(): Dispatcher | Promise<Dispatcher> {
    this.#opening ??= this.#open();
    return this.#pool ?? this.#opening;
  }

  /** Pending requests reject with `reason`. */
  async destroy(reason: Error): Promise<void> {
    const pool = await this.#opening?.catch(() => undefined);
    await pool?.destroy(reason);
  }

  async #open(): Promise<Dispatcher> {
    const PoolClass = await loadPool();
    this.#pool = new PoolClass(this.#origin, {
      connections: this.#connections,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 10_000,
    });
    return this.#pool;
  }
}
