import { ConfigurationError } from '../errors/configuration-error.ts';
import { FeedReader } from './feed-reader.ts';
import type { DeliveryContext, InboundDelivery } from './inbound-delivery.ts';

export const DEFAULT_POLL_INTERVAL_MS = 5_000;
export const MIN_POLL_INTERVAL_MS = 1_000;
export const DEFAULT_PAGE_LIMIT = 100;
const REQUEST_ALLOWANCE_MS = 15_000;
const IDLE_FACTOR = 1.5;

/** Options of {@link PollDelivery}. */
export interface PollDeliveryOptions {
  /** Time between two reads, in milliseconds, at least 1 000. @default 5_000 */
  intervalMs?: number | undefined;
  /**
   * Up to what the interval grows while nothing comes, in milliseconds, for example 15 000.
   * @default `intervalMs`: it does not grow
   */
  maxIdleIntervalMs?: number | undefined;
  /** Rows per read, 1–500. @default 100 */
  pageLimit?: number | undefined;
}

/** Reads the feed at an interval, and at once again while full pages come back (seed 003). */
export class PollDelivery implements InboundDelivery {
  readonly name = 'poll';
  readonly #intervalMs: number;
  readonly #maxIdleMs: number;
  readonly #pageLimit: number;

  /** @throws ConfigurationError for an interval below 1 000 ms or a page limit outside 1–500. */
  constructor(options: PollDeliveryOptions = {}) {
    this.#intervalMs = checkInterval('intervalMs', options.intervalMs ?? DEFAULT_POLL_INTERVAL_MS);
    this.#maxIdleMs = checkInterval('maxIdleIntervalMs', options.maxIdleIntervalMs ?? this.#intervalMs);
    this.#pageLimit = checkPageLimit(options.pageLimit);
  }

  get expectedSilenceMs(): number {
    return Math.max(this.#intervalMs, this.#maxIdleMs) + REQUEST_ALLOWANCE_MS;
  }

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    const reader = new FeedReader(context, this.#pageLimit);
    let waitMs = this.#intervalMs;
    for (;;) {
      const reading = await reader.read(0, signal);
      if (reading.kind === 'page') {
        if (reading.page.hasMore && reading.isProgress) continue;
        waitMs = reading.isProgress
          ? this.#intervalMs
          : Math.max(this.#intervalMs, Math.min(waitMs * IDLE_FACTOR, this.#maxIdleMs));
      }
      const pauseMs = reading.kind === 'failed' ? reading.retryMs : waitMs;
      await context.clock.sleep(reading.kind === 'lost' ? MIN_POLL_INTERVAL_MS : pauseMs, { signal });
    }
  }
}

/** A usable polling interval, in milliseconds. */
export function checkInterval(option: string, value: number): number {
  if (!(value >= MIN_POLL_INTERVAL_MS && value <= 2 ** 31 - 1)) {
    throw new ConfigurationError(`${option} must be at least ${MIN_POLL_INTERVAL_MS} ms, got ${value}.`);
  }
  return value;
}

/** A usable number of rows per read. */
export function checkPageLimit(value: number | undefined): number {
  const limit = value ?? DEFAULT_PAGE_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > 500) {
    throw new ConfigurationError(`pageLimit must be an integer from 1 to 500, got ${limit}.`);
  }
  return limit;
}
