import type { Dispatcher, Pool } from 'undici';
import { processState } from '../storage/process-state.ts';

/** Loads the pool without the rest of undici, most of which is `fetch`; falls back to all of undici if that file has moved. */
export async function loadPool(): Promise<typeof Pool> {
  const part = await import('undici/lib/dispatcher/pool.js').catch(() => undefined);
  return part?.default ?? (await import('undici')).Pool;
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
  readonly #origin: string;
  readonly #isShared: boolean;
  #joined: OpenPool | undefined;

  constructor(origin: string, isShared: boolean) {
    this.#origin = origin;
    this.#isShared = isShared;
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
    if (sharedPools().get(this.#origin) === joined) sharedPools().delete(this.#origin);
    const pool = await joined.opening.catch(() => undefined);
    await pool?.destroy(reason);
  }

  #join(): OpenPool {
    const known = this.#isShared ? sharedPools().get(this.#origin) : undefined;
    const joined = known ?? openPool(this.#origin);
    if (this.#isShared) sharedPools().set(this.#origin, joined);
    joined.users += 1;
    return joined;
  }
}

function sharedPools(): Map<string, OpenPool> {
  return processState('connection-pools', () => new Map<string, OpenPool>());
}

function openPool(origin: string): OpenPool {
  const opened: OpenPool = { users: 0, pool: undefined, opening: open() };
  return opened;

  async function open(): Promise<Dispatcher> {
    const PoolClass = await loadPool();
    const limits = { pipelining: 1, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 10_000 };
    const pool = new PoolClass(origin, limits);
    opened.pool = pool;
    return pool;
  }
}
