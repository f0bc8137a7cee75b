import { MoleculeError } from '../errors/molecule-error.ts';
import { TimeoutError } from '../errors/timeout-error.ts';
import type { ConnectionSettings } from '../settings/connection-settings.ts';
import { backoffDelayMs } from '../time/backoff.ts';
import type { PlatformRequest } from './platform-request.ts';

const NO_LIMIT = Number.POSITIVE_INFINITY;

/** Decides whether and when a request is retried. */
export class RetryBudget {
  readonly #settings: ConnectionSettings;
  readonly #request: PlatformRequest;
  readonly #endsAt: number;
  #retries = 0;

  constructor(settings: ConnectionSettings, request: PlatformRequest) {
    this.#settings = settings;
    this.#request = request;
    this.#endsAt =
      request.totalTimeoutMs === undefined ? NO_LIMIT : settings.clock.monotonic() + request.totalTimeoutMs;
  }

  /** Time limit of the next attempt, in milliseconds. */
  attemptTimeoutMs(): number {
    if (this.#endsAt === NO_LIMIT) return this.#request.timeoutMs;
    return Math.max(1, Math.min(this.#request.timeoutMs, this.#endsAt - this.#settings.clock.monotonic()));
  }

  /** Waits until the request can be retried; throws `error` if it cannot. */
  async waitBeforeRetry(error: unknown): Promise<void> {
    const { clock, logger } = this.#settings;
    const waitMs = this.#nextWaitMs(error);
    if (waitMs === undefined) throw error;
    this.#retries += 1;
    logger.debug({ error, waitMs, retry: this.#retries, path: this.#request.path }, 'Retrying a request.');
    await clock.sleep(waitMs, { signal: this.#request.signal });
  }

  #nextWaitMs(error: unknown): number | undefined {
    const { maxRetries, maxRetryAfterMs, random, clock } = this.#settings;
    if (!this.#request.isRepeatable || this.#retries >= maxRetries || this.#request.signal?.aborted)
      return undefined;
    if (!MoleculeError.isInstance(error) || !error.isRetryable || TimeoutError.isInstance(error))
      return undefined;
    if (error.retryAfterMs !== undefined && error.retryAfterMs > maxRetryAfterMs) return undefined;
    const waitMs = error.retryAfterMs ?? backoffDelayMs(this.#retries + 1, {}, random);
    return clock.monotonic() + waitMs < this.#endsAt ? waitMs : undefined;
  }
}
