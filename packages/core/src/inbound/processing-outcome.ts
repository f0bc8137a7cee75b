/** What becomes of a message after one go at it. */
export type ProcessingOutcome =
  | { readonly kind: 'finished' }
  /** Later again, by its own clock. */
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** Stopped from outside: it stays as it was and does not count. */
  | { readonly kind: 'interrupted' };

/** Most attempts of a handler (decision 18). */
export const MAX_ATTEMPTS = 5;

/** Waits after the first, second … failed attempt, in milliseconds (decision 18). */
const RETRY_DELAYS_MS = [1_000, 4_000, 16_000, 64_000] as const;

/** The wait after attempt number `attempt`, in milliseconds: 1, 4, 16, then 64 s. */
export function retryDelayMs(attempt: number): number {
  return RETRY_DELAYS_MS[Math.min(Math.max(1, attempt), RETRY_DELAYS_MS.length) - 1] ?? 64_000;
}
