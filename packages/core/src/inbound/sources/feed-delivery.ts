import type { InboundPage } from '../../client/inbound-page.ts';
import { ConfigurationError } from '../../errors/configuration-error.ts';
import { CursorLostError } from '../../errors/cursor-lost-error.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { PageTooLargeError } from '../../errors/page-too-large-error.ts';
import { checkNumber } from '../../settings/checked-values.ts';
import { backoffDelayMs } from '../../time/backoff.ts';
import type { ControlReads, DeliveryContext, InboundDelivery } from './message-source.ts';

const DEFAULT_POLL_INTERVAL_MS = 5_000;
const MIN_POLL_INTERVAL_MS = 1_000;
const DEFAULT_PAGE_LIMIT = 100;
const DEFAULT_WAIT_SECONDS = 25;
const REQUEST_ALLOWANCE_MS = 15_000;
const IDLE_FACTOR = 1.5;
const RETRY = { baseMs: 1_000, factor: 2, maxMs: 24_000, jitter: 0.25 } as const;
const LONGEST_RETRY_MS = 30_000;

/** How messages are received. `auto` long-polls, or polls at an interval if the platform does not hold requests. */
export type DeliveryChoice = 'auto' | 'long-poll' | 'poll' | InboundDelivery;

/** @throws ConfigurationError for an unknown name. */
export function chooseDelivery(choice: DeliveryChoice = 'auto'): InboundDelivery {
  if (typeof choice === 'object') return choice;
  if (choice === 'poll') return new PollDelivery();
  if (choice === 'auto' || choice === 'long-poll') return new LongPollDelivery();
  throw new ConfigurationError(
    `delivery must be "auto", "long-poll", "poll" or an InboundDelivery, got ${JSON.stringify(choice)}.`,
  );
}

export interface PollDeliveryOptions {
  /** Polling interval, in milliseconds, at least 1 000. @default 5_000 */
  intervalMs?: number | undefined;
  /**
   * Maximum polling interval while no message arrives, in milliseconds, for example 15 000.
   * @default `intervalMs`: the interval does not grow
   */
  maxIdleIntervalMs?: number | undefined;
  /** Rows per read, 1–500. @default 100 */
  pageLimit?: number | undefined;
}

/** Reads the feed at an interval, and without a pause while there are more pages. */
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

  get controlReads(): ControlReads {
    return { intervalMs: this.#intervalMs };
  }

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    const reader = new InboundPageReader(context, this.#pageLimit);
    let waitMs = this.#intervalMs;
    for (;;) {
      const reading = await reader.read(0, signal);
      if (reading.kind === 'page') {
        if (reading.page.hasMore && reading.isProgress) continue;
        waitMs = reading.isProgress
          ? this.#intervalMs
          : Math.max(this.#intervalMs, Math.min(waitMs * IDLE_FACTOR, this.#maxIdleMs));
      }
      await context.clock.sleep(reading.kind === 'page' ? waitMs : reading.retryMs, { signal });
    }
  }
}

export interface LongPollDeliveryOptions {
  /** How long the platform holds a request, in whole seconds, 1–60. Many proxies close idle requests after 60 s. @default 25 */
  waitSeconds?: number | undefined;
  /** Polling interval for a platform that does not hold requests, in milliseconds. @default 5_000 */
  fallbackIntervalMs?: number | undefined;
  /** Rows per read, 1–500. @default 100 */
  pageLimit?: number | undefined;
}

/**
 * The platform holds each read until a message arrives. A platform that does not confirm the wait is polled at an interval.
 * Each request still asks for the wait, so long-polling starts as soon as the platform supports it.
 */
export class LongPollDelivery implements InboundDelivery {
  readonly name = 'long-poll';
  readonly #waitSeconds: number;
  readonly #fallbackMs: number;
  readonly #pageLimit: number;

  /** @throws ConfigurationError for a wait outside 1–60 s, an interval below 1 000 ms, a limit outside 1–500. */
  constructor(options: LongPollDeliveryOptions = {}) {
    const { waitSeconds = DEFAULT_WAIT_SECONDS } = options;
    this.#waitSeconds = checkNumber('waitSeconds', waitSeconds, { min: 1, max: 60, isInteger: true });
    this.#fallbackMs = checkInterval(
      'fallbackIntervalMs',
      options.fallbackIntervalMs ?? DEFAULT_POLL_INTERVAL_MS,
    );
    this.#pageLimit = checkPageLimit(options.pageLimit);
  }

  get expectedSilenceMs(): number {
    return Math.max(this.#waitSeconds * 1_000, this.#fallbackMs) + REQUEST_ALLOWANCE_MS;
  }

  get controlReads(): ControlReads {
    return { waitSeconds: this.#waitSeconds };
  }

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    const { clock, logger } = context;
    const reader = new InboundPageReader(context, this.#pageLimit);
    let isHeld = true;
    // The first read does not wait, to find out immediately whether the feed can be read.
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
    if (reading.kind !== 'page') return reading.retryMs;
    if (reading.isProgress && (isHeld || reading.page.hasMore)) return 0;
    if (!isHeld) return this.#fallbackMs;
    if (reading.page.rows > 0) return this.#fallbackMs;
    // A platform that confirms the wait but returns an empty page immediately must not be flooded with requests.
    return reading.page.waitApplied && tookMs < MIN_POLL_INTERVAL_MS ? MIN_POLL_INTERVAL_MS : 0;
  }
}

/** `isProgress`: the position moved, so the next page is read without a pause. */
type FeedReading =
  | { readonly kind: 'page'; readonly page: InboundPage; readonly isProgress: boolean }
  | { readonly kind: 'cursor-lost' | 'failed'; readonly retryMs: number };

/** Reads pages of the feed into the inbox; logs an outage once. Reads fewer rows while they are too large. */
class InboundPageReader {
  readonly #context: DeliveryContext;
  readonly #pageLimit: number;
  #limit: number;
  #failures = 0;

  constructor(context: DeliveryContext, pageLimit: number) {
    this.#context = context;
    this.#pageLimit = pageLimit;
    this.#limit = pageLimit;
  }

  /** Rejects only with the signal's reason. */
  async read(waitSecs: number, signal: AbortSignal): Promise<FeedReading> {
    const { client, inbox } = this.#context;
    const capacity = await inbox.waitForCapacity(signal);
    const { position } = inbox;
    const limit = Math.max(1, Math.min(capacity, this.#limit));
    try {
      const page = await client.fetchInboundPage({
        ...(position === null ? { unacknowledged: true } : { sinceId: position }),
        limit,
        ...(waitSecs > 0 ? { waitSecs } : {}),
        signal,
      });
      signal.throwIfAborted();
      this.#succeeded();
      this.#limit = page.hasMore ? Math.min(this.#pageLimit, this.#limit + 1) : this.#pageLimit;
      const fresh = inbox.acceptPage(page);
      return { kind: 'page', page, isProgress: fresh > 0 || inbox.position !== position };
    } catch (error) {
      signal.throwIfAborted();
      if (PageTooLargeError.isInstance(error)) return this.#tooLarge(error, limit);
      if (!CursorLostError.isInstance(error)) return this.#failed(error);
      await inbox.cursorLost(error);
      return { kind: 'cursor-lost', retryMs: MIN_POLL_INTERVAL_MS };
    }
  }

  /** Asks for half as many rows; sets a single one aside. */
  async #tooLarge(error: PageTooLargeError, limit: number): Promise<FeedReading> {
    const { inbox, logger } = this.#context;
    inbox.tooLarge(error);
    if (limit > 1 && error.limit > 1) {
      this.#limit = Math.floor(limit / 2);
      logger.warn(
        { error, limit: this.#limit },
        'A page of the feed is too large: fewer rows are read at once.',
      );
      return { kind: 'failed', retryMs: 0 };
    }
    if (error.firstRow === null) return this.#failed(error);
    await inbox.setAside(error.firstRow, error);
    return { kind: 'failed', retryMs: 0 };
  }

  #succeeded(): void {
    if (this.#failures > 0) this.#context.logger.info({}, 'The inbound feed can be read again.');
    this.#failures = 0;
  }

  #failed(error: unknown): FeedReading {
    const { logger, random } = this.#context;
    this.#failures += 1;
    if (this.#failures === 1) logger.warn({ error }, 'The inbound feed cannot be read; retrying.');
    const retryAfterMs = MoleculeError.isInstance(error) ? (error.retryAfterMs ?? 0) : 0;
    const backoffMs = backoffDelayMs(this.#failures, RETRY, random);
    return { kind: 'failed', retryMs: Math.min(Math.max(backoffMs, retryAfterMs), LONGEST_RETRY_MS) };
  }
}

function checkInterval(option: string, value: number): number {
  return checkNumber(option, value, { min: MIN_POLL_INTERVAL_MS });
}

function checkPageLimit(value = DEFAULT_PAGE_LIMIT): number {
  return checkNumber('pageLimit', value, { min: 1, max: 500, isInteger: true });
}
