import type { Pool } from 'undici';

/** Loads the pool without the rest of undici, most of which is `fetch`; falls back to all of undici if that file has moved. */
export async function loadPool(): Promise<typeof Pool> {
  const part = await import('undici/lib/dispatcher/pool.js').catch(() => undefined);
  return part?.default ?? (await import('undici')).Pool;
}
