import { MoleculeError } from '../errors/molecule-error.ts';
import type { RandomSource } from '../time/backoff.ts';

/** Longest time between two heartbeats, in milliseconds; they go out after 90–100 % of it (decision 5). */
export const DEFAULT_HEARTBEAT_INTERVAL_MS = 30_000;

/** Waits after the first, second, third … failure in a row, in milliseconds; the last one repeats. */
const RETRY_DELAYS_MS = [2_000, 5_000, 10_000, 20_000, 30_000] as const;
const LONGEST_RETRY_MS = 30_000;

/** From the start of a heartbeat to the start of the next, in milliseconds: at most `intervalMs`. */
export function nextBeatInMs(intervalMs: number, random: RandomSource): number {
  return Math.floor(intervalMs * (0.9 + 0.1 * shareOf(random)));
}

/** The wait after failure number `failures`, in milliseconds: 2, 5, 10, 20, then 30 s, less up to a tenth. */
export function retryInMs(failures: number, error: unknown, random: RandomSource): number {
  const index = Math.min(Math.max(1, failures), RETRY_DELAYS_MS.length) - 1;
  const delay = RETRY_DELAYS_MS[index] ?? LONGEST_RETRY_MS;
  const asked = MoleculeError.isInstance(error) ? (error.retryAfterMs ?? 0) : 0;
  return Math.min(Math.max(Math.floor(delay * (0.9 + 0.1 * shareOf(random))), asked), LONGEST_RETRY_MS);
}

/** From 0 to 1 whatever the source gives: a beat must never be late, nor come in a storm. */
function shareOf(random: RandomSource): number {
  return Math.min(1, Math.max(0, random())) || 0;
}
