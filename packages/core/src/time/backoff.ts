import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';

const SECONDS = /^\d{1,12}(?:\.\d{1,12})?$/;
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const HTTP_DATE = new RegExp(
  `^(?:[A-Z][a-z]{2,8}, \\d{2}[ -]${MONTH}[ -]\\d{2,4} \\d{2}:\\d{2}:\\d{2} GMT|[A-Z][a-z]{2} ${MONTH} [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4})$`,
);

/** Returns a number from 0 (inclusive) to 1 (exclusive), like `Math.random`. */
export type RandomSource = () => number;

/** The pause before retry number `retry` (1 for the first), in milliseconds: 1, 2, 4 … 30 s, ±25 %. */
export function backoffDelayMs(retry: number, random: RandomSource): number {
  return Math.round(Math.min(30_000, 1_000 * 2 ** Math.max(0, retry - 1)) * (0.75 + 0.5 * random()));
}

/** The default window, in milliseconds, over which agents that lost the platform together spread their first attempts. */
export const DEFAULT_RECONNECT_SPREAD_MS = 15_000;
/** The longest pause is up to twice as long. */
const LONGEST_SPREAD_MS = 15_000;

/**
 * The pause before an agent tries again what it does all the time, in milliseconds. Other agents have lost the platform at the
 * same moment, so it is drawn from the whole of a window: up to `spreadMs` after the first failure, `spreadMs` to twice that after
 * the second, then twice as long each time, at most 15–30 s. A `Retry-After` of at most 30 s is waited for before the first
 * window, unless it is that of a limit, which is for one workspace only.
 */
export function reconnectDelayMs(
  failures: number,
  error: unknown,
  { reconnectSpreadMs: spreadMs, random }: ReconnectPolicy,
): number {
  const share = random();
  const least = Math.min(LONGEST_SPREAD_MS, spreadMs * 2 ** Math.max(0, failures - 2));
  const pauseMs = failures <= 1 ? share * spreadMs : least * (1 + share);
  const retryAfterMs = MoleculeError.isInstance(error) ? (error.retryAfterMs ?? 0) : 0;
  if (retryAfterMs <= 0) return Math.round(pauseMs);
  const requestedMs = Math.min(retryAfterMs, 2 * LONGEST_SPREAD_MS);
  const isLimit = MoleculeError.isInstance(error) && error.code === 'rate_limited';
  return Math.round(Math.max(pauseMs, isLimit ? requestedMs : requestedMs + share * spreadMs));
}

/** The pause after one response that was broken, in milliseconds; any up to this. */
const SOON_MS = 1_000;

/**
 * The pauses of one thing that an agent does all the time. One response that is broken says that the platform is there, so the first
 * such failure is followed by a short pause; what all agents have at the same moment when a platform, or a proxy before it, starts again
 * is followed by those of {@link reconnectDelayMs}, and so is the next failure.
 */
export class ReconnectDelays {
  #failures = 0;
  #isRepeated = false;

  /** The pause after a failure, in milliseconds. */
  next(error: unknown, policy: ReconnectPolicy): number {
    if (this.#failures === 0 && !this.#isRepeated && isBrokenResponse(error)) {
      this.#isRepeated = true;
      return Math.round(Math.min(SOON_MS, policy.reconnectSpreadMs) * policy.random());
    }
    this.#failures += 1;
    return reconnectDelayMs(this.#failures, error, policy);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#isRepeated = false;
  }
}

/** An internal error, or a body that cannot be read; not a web page, and not another 5xx, which gateways send as well. */
function isBrokenResponse(error: unknown): boolean {
  if (!ApiError.isInstance(error) || error.retryAfterMs !== undefined) return false;
  if (error.code === 'platform_error') return error.status === 500;
  return error.code === 'unexpected_response' && !error.isWebPage;
}

export interface ReconnectPolicy {
  /** Window of the first pause, in milliseconds. */
  readonly reconnectSpreadMs: number;
  readonly random: RandomSource;
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
