import { ApiError } from '../errors/api-error.ts';
import { ConnectionError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { TimeoutError } from '../errors/timeout-error.ts';
import type { ConnectionSettings } from '../settings/connection-settings.ts';
import { backoffDelayMs } from '../time/backoff.ts';
import type { PlatformCapabilities } from './platform-capabilities.ts';
import type { PlatformRequest } from './platform-request.ts';

const NO_LIMIT = Number.POSITIVE_INFINITY;
/** The platform refused the request before it did anything. */
const REFUSED: ReadonlySet<number> = new Set([429, 503]);

/** Decides whether and when a request is retried. */
export class RetryBudget {
  readonly #settings: ConnectionSettings;
  readonly #request: PlatformRequest;
  readonly #capabilities: Pick<PlatformCapabilities, 'words'>;
  readonly #endsAt: number;
  #retries = 0;
  /** Whether the platform may have processed an attempt. */
  #mayHaveArrived = false;

  constructor(
    settings: ConnectionSettings,
    request: PlatformRequest,
    capabilities: Pick<PlatformCapabilities, 'words'>,
  ) {
    this.#settings = settings;
    this.#request = request;
    this.#capabilities = capabilities;
    this.#endsAt =
      request.totalTimeoutMs === undefined ? NO_LIMIT : settings.clock.monotonic() + request.totalTimeoutMs;
  }

  /** Time limit of the next attempt, in milliseconds. */
  attemptTimeoutMs(): number {
    if (this.#endsAt === NO_LIMIT) return this.#request.timeoutMs;
    return Math.max(1, Math.min(this.#request.timeoutMs, this.#endsAt - this.#settings.clock.monotonic()));
  }

  /** Waits until the request can be retried; if it cannot, throws `error`, with what all attempts say about `delivered`. */
  async waitBeforeRetry(error: unknown): Promise<void> {
    const { clock, logger } = this.#settings;
    const waitMs = this.#nextWaitMs(error);
    if (waitMs === undefined) throw this.#mayHaveArrived ? deliveryUnknown(error) : error;
    this.#retries += 1;
    this.#mayHaveArrived ||= MoleculeError.isInstance(error) && !wasNotProcessed(error);
    logger.debug({ error, waitMs, retry: this.#retries, path: this.#request.path }, 'Retrying a request.');
    await clock.sleep(waitMs, { signal: this.#request.signal });
  }

  #nextWaitMs(error: unknown): number | undefined {
    const { maxRetries, maxRetryAfterMs, random, clock } = this.#settings;
    if (!this.#request.isRepeatable || this.#retries >= maxRetries || this.#request.signal?.aborted)
      return undefined;
    if (!MoleculeError.isInstance(error) || !error.isRetryable || TimeoutError.isInstance(error))
      return undefined;
    if (!this.#isHarmless && !wasNotProcessed(error)) return undefined;
    if (error.retryAfterMs !== undefined && error.retryAfterMs > maxRetryAfterMs) return undefined;
    const waitMs = error.retryAfterMs ?? backoffDelayMs(this.#retries + 1, {}, random);
    return clock.monotonic() + waitMs < this.#endsAt ? waitMs : undefined;
  }

  /** Whether a repeat of a processed request changes nothing. */
  get #isHarmless(): boolean {
    return this.#request.isKeyed !== true || this.#capabilities.words.has('message-dedupe');
  }
}

function wasNotProcessed(error: MoleculeError): boolean {
  if (ConnectionError.isInstance(error)) return error.delivered === 'no';
  // A platform also gives up a push with 503 and `busy`, while the agent may be working on the message.
  return ApiError.isInstance(error) && REFUSED.has(error.status) && error.details?.busy !== true;
}

/** The last attempt did not arrive, an earlier one may have. */
function deliveryUnknown(error: unknown): unknown {
  if (!ConnectionError.isInstance(error) || error.delivered !== 'no') return error;
  const { message, origin, isRetryable, hint, cause } = error;
  return new ConnectionError(message, { origin, delivered: 'unknown', isRetryable, hint, cause });
}
