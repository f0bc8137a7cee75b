/** How waits grow between attempts. */
export interface BackoffPolicy {
  /** The first wait, in milliseconds. @default 1_000 */
  baseMs?: number | undefined;
  /** What each next wait is multiplied by. @default 2 */
  factor?: number | undefined;
  /** The longest wait before jitter, in milliseconds. @default 30_000 */
  maxMs?: number | undefined;
  /** Jitter as a share of the wait; 0.25 means ±25 %. @default 0.25 */
  jitter?: number | undefined;
}

/** Source of numbers from 0 (included) to 1 (excluded), like `Math.random`. */
export type RandomSource = () => number;

/**
 * The wait before retry `retry` (1 for the first), in milliseconds: 1, 2, 4 s … ±25 % by default
 * (decision 18). Pure but for `random`.
 */
export function backoffDelayMs(
  retry: number,
  policy: BackoffPolicy = {},
  random: RandomSource = Math.random,
): number {
  const { baseMs = 1_000, factor = 2, maxMs = 30_000, jitter = 0.25 } = policy;
  const centre = Math.min(maxMs, baseMs * factor ** Math.max(0, retry - 1));
  return Math.round(centre * (1 + jitter * (2 * random() - 1)));
}
