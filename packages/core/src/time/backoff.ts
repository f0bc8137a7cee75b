const SECONDS = /^\d{1,12}(?:\.\d{1,12})?$/;
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const HTTP_DATE = new RegExp(
  `^(?:[A-Z][a-z]{2,8}, \\d{2}[ -]${MONTH}[ -]\\d{2,4} \\d{2}:\\d{2}:\\d{2} GMT|[A-Z][a-z]{2} ${MONTH} [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4})$`,
);

/** The pauses between attempts. */
export interface BackoffPolicy {
  /** The first pause, in milliseconds. @default 1_000 */
  baseMs?: number | undefined;
  /** Growth per retry. @default 2 */
  factor?: number | undefined;
  /** The longest pause before jitter, in milliseconds. @default 30_000 */
  maxMs?: number | undefined;
  /** Jitter as a share of the pause; 0.25 means ±25 %. @default 0.25 */
  jitter?: number | undefined;
}

/** Returns a number from 0 (inclusive) to 1 (exclusive), like `Math.random`. */
export type RandomSource = () => number;

/** The pause before retry number `retry` (1 for the first), in milliseconds: by default 1, 2, 4 s … ±25 %. */
export function backoffDelayMs(
  retry: number,
  policy: BackoffPolicy = {},
  random: RandomSource = Math.random,
): number {
  const { baseMs = 1_000, factor = 2, maxMs = 30_000, jitter = 0.25 } = policy;
  const centre = Math.min(maxMs, baseMs * factor ** Math.max(0, retry - 1));
  return Math.round(centre * (1 + jitter * (2 * random() - 1)));
}

/**
 * Parses a `Retry-After` header (RFC 9110, section 10.2.3): seconds, with fractions rounded up, or an HTTP date relative
 * to `nowMs`. Returns milliseconds greater than 0, or `undefined` for missing, 0, negative, past or invalid values.
 */
export function parseRetryAfter(header: string | null | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (SECONDS.test(text)) {
    const ms = Math.ceil(Number(text)) * 1_000;
    return ms > 0 ? ms : undefined;
  }
  if (!HTTP_DATE.test(text)) return undefined;
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`) - nowMs;
  return ms > 0 ? ms : undefined;
}
