import { ConfigurationError } from '../errors/configuration-error.ts';
import { FeedReader, type FeedReading } from './feed-reader.ts';
import type { DeliveryContext, InboundDelivery } from './inbound-delivery.ts';
import {
  checkInterval,
  checkPageLimit,
  DEFAULT_POLL_INTERVAL_MS,
  MIN_POLL_INTERVAL_MS,
} from './poll-delivery.ts';

export const DEFAULT_WAIT_SECONDS = 25;
const REQUEST_ALLOWANCE_MS = 15_000;

/** Options of {@link LongPollDelivery}. */
export interface LongPollDeliveryOptions {
  /** How long the platform holds a request, in whole seconds, 1–60. Proxies cut idle ones at 60. @default 25 */
  waitSeconds?: number | undefined;
  /** Time between two reads of a platform that does not hold requests, in milliseconds. @default 5_000 */
  fallbackIntervalMs?: number | undefined;
  /** Rows per read, 1–500. @default 100 */
  pageLimit?: number | undefined;
}

/**
 * Lets the platform hold each read until a message comes (decision 13). One that does not confirm the wait is
 * polled at an interval instead; the wait stays on the request, so an updated platform is used at once.
 */
export class LongPollDelivery implements InboundDelivery {
  readonly name = 'long-poll';
  readonly #waitSeconds: number;
  readonly #fallbackMs: number;
  readonly #pageLimit: number;

  /** @throws ConfigurationError for a wait outside 1–60 s, an interval below 1 000 ms, a limit outside 1–500. */
  constructor(options: LongPollDeliveryOptions = {}) {
    const waitSeconds = options.waitSeconds ?? DEFAULT_WAIT_SECONDS;
    if (!Number.isInteger(waitSeconds) || waitSeconds < 1 || waitSeconds > 60) {
      throw new ConfigurationError(`waitSeconds must be an integer from 1 to 60, got ${waitSeconds}.`);
    }
    this.#waitSeconds = waitSeconds;
    this.#fallbackMs = checkInterval(
      'fallbackIntervalMs',
      options.fallbackIntervalMs ?? DEFAULT_POLL_INTERVAL_MS,
    );
    this.#pageLimit = checkPageLimit(options.pageLimit);
  }

  get expectedSilenceMs(): number {
    return Math.max(this.#waitSeconds * 1_000, this.#fallbackMs) + REQUEST_ALLOWANCE_MS;
  }

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    const { clock, logger } = context;
    const reader = new FeedReader(context, this.#pageLimit);
    let isHeld = true;
    // The first read does not wait: it shows at once whether the feed can be read.
    for (let waitSecs = 0; ; ) {
      const startedAt = clock.monotonic();
      const reading = await reader.read(waitSecs, signal);
      if (reading.kind === 'page' && waitSecs > 0 && reading.page.waitApplied !== isHeld) {
        isHeld = reading.page.waitApplied;
        logger.info(
          { intervalMs: this.#fallbackMs },
          isHeld
            ? 'The platform holds requests: long-polling.'
            : 'The platform does not hold requests: polling at an interval.',
        );
      }
      const pauseMs = this.#pauseMs(reading, waitSecs === 0 || isHeld, clock.monotonic() - startedAt);
      if (reading.kind === 'page') waitSecs = this.#waitSeconds;
      if (pauseMs > 0) await clock.sleep(pauseMs, { signal });
    }
  }

  #pauseMs(reading: FeedReading, isHeld: boolean, tookMs: number): number {
    if (reading.kind === 'failed') return reading.retryMs;
    if (reading.kind === 'lost') return MIN_POLL_INTERVAL_MS;
    if (reading.isProgress && (isHeld || reading.page.hasMore)) return 0;
    if (!isHeld) return this.#fallbackMs;
    if (reading.page.rows > 0) return this.#fallbackMs;
    // A held request takes its time; one that comes back empty at once must not become a storm of requests.
    return reading.page.waitApplied && tookMs < MIN_POLL_INTERVAL_MS ? MIN_POLL_INTERVAL_MS : 0;
  }
}
