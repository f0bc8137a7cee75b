import type { InboundPage } from '../../client/inbound-page.ts';
import { CursorLostError } from '../../errors/cursor-lost-error.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { PageTooLargeError } from '../../errors/page-too-large-error.ts';
import { checkNumber } from '../../settings/checked-values.ts';
import { ReconnectDelays } from '../../time/backoff.ts';
import { readOldestPage } from './backlog.ts';
import type { DeliveryContext } from './message-source.ts';

const DEFAULT_PAGE_LIMIT = 100;
const CURSOR_LOST_PAUSE_MS = 1_000;

/** `isProgress`: the position moved, so the next page is read without a pause. */
export type FeedReading =
  | { readonly kind: 'page'; readonly page: InboundPage; readonly isProgress: boolean }
  | { readonly kind: 'cursor-lost' | 'failed' | 'limited'; readonly retryMs: number };

/** What a delivery reads at once, and how far back. */
export interface PageReads {
  readonly pageLimit: number;
  readonly sinceSecs: number | undefined;
  /** Whether rows that were pushed are left out, also after the position. */
  readonly isUnacknowledgedOnly?: boolean | undefined;
  /** Whether to read from the acknowledged position, because rows before the read one may come back into the feed. */
  readonly fromAcknowledged?: (() => boolean) | undefined;
}

/** Reads pages of the feed into the inbox; logs an outage once. Reads fewer rows while they are too large. */
export class InboundPageReader {
  readonly #context: DeliveryContext;
  readonly #reads: PageReads;
  #limit: number;
  readonly #delays = new ReconnectDelays();
  #failures = 0;
  #isReported = false;
  #hasLostCursor = false;

  constructor(context: DeliveryContext, reads: PageReads) {
    this.#context = context;
    this.#reads = reads;
    this.#limit = reads.pageLimit;
  }

  /** Rejects only with the signal's reason. */
  async read(waitSecs: number, signal: AbortSignal): Promise<FeedReading> {
    const { client, inbox } = this.#context;
    const { pageLimit } = this.#reads;
    const capacity = await inbox.waitForCapacity(signal);
    const { position } = inbox;
    const limit = Math.max(1, Math.min(capacity, this.#limit));
    try {
      const page = this.#isBacklogUnmarked
        ? await this.#readOldest(capacity, waitSecs, signal)
        : await client.fetchInboundPage({
            ...(position === null || this.#reads.isUnacknowledgedOnly ? { unacknowledged: true } : {}),
            ...(position === null || this.#reads.fromAcknowledged?.() ? {} : { sinceId: position }),
            limit,
            ...(waitSecs > 0 ? { waitSecs } : {}),
            isRetried: false,
            takesTurns: true,
            signal,
          });
      signal.throwIfAborted();
      this.#succeeded();
      this.#limit = page.hasMore ? Math.min(pageLimit, this.#limit + 1) : pageLimit;
      const fresh = inbox.acceptPage(page);
      return { kind: 'page', page, isProgress: fresh > 0 || inbox.position !== position };
    } catch (error) {
      signal.throwIfAborted();
      if (PageTooLargeError.isInstance(error)) return this.#tooLarge(error, limit);
      if (!CursorLostError.isInstance(error)) return this.#failed(error);
      this.#hasLostCursor = true;
      await inbox.cursorLost(error);
      return { kind: 'cursor-lost', retryMs: CURSOR_LOST_PAUSE_MS };
    }
  }

  /** Whether nothing says where to start, neither a position nor the platform. */
  get #isBacklogUnmarked(): boolean {
    const { client, inbox } = this.#context;
    return inbox.position === null && !client.capabilities.has('acknowledge');
  }

  #readOldest(capacity: number, waitSecs: number, signal: AbortSignal): Promise<InboundPage> {
    const { client, inbox, logger } = this.#context;
    return readOldestPage({
      client,
      logger,
      limit: this.#limit,
      capacity,
      sinceSecs: this.#hasLostCursor ? undefined : this.#reads.sinceSecs,
      waitSecs,
      isBehind: (message) => inbox.isBehind(message),
      signal,
    });
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
    if (this.#isReported) this.#context.logger.warn({}, 'The inbound feed can be read again.');
    this.#isReported = false;
    this.#failures = 0;
    this.#delays.succeeded();
  }

  #failed(error: unknown): FeedReading {
    const { logger } = this.#context;
    this.#failures += 1;
    const isLimited = MoleculeError.isInstance(error) && error.code === 'rate_limited';
    // One failure that is over with the next read is no news.
    const isTransient = MoleculeError.isInstance(error) && error.isRetryable && !isLimited;
    if (!this.#isReported && (this.#failures > 1 || !isTransient)) {
      this.#isReported = true;
      const problem = isLimited
        ? 'The platform limits the rate of requests; the inbound feed is read again later.'
        : 'The inbound feed cannot be read; retrying.';
      logger.warn({ error }, problem);
    }
    const retryMs = this.#delays.next(error, this.#context);
    return { kind: isLimited ? 'limited' : 'failed', retryMs };
  }
}

/** @throws ConfigurationError for a page limit outside 1–500 or a window below 1 s. */
export function checkReads(options: {
  readonly pageLimit?: number | undefined;
  readonly sinceSecs?: number | undefined;
}): PageReads {
  const { pageLimit = DEFAULT_PAGE_LIMIT, sinceSecs } = options;
  return {
    pageLimit: checkNumber('pageLimit', pageLimit, { min: 1, max: 500, isInteger: true }),
    sinceSecs:
      sinceSecs === undefined ? undefined : checkNumber('sinceSecs', sinceSecs, { min: 1, isInteger: true }),
  };
}
