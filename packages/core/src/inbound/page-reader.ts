import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import type { PeerClient } from '../client/platform-client.ts';
import { CursorLostError, PageTooLargeError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { checkNumber } from '../settings/checked-values.ts';
import { ReconnectDelays } from '../time/backoff.ts';
import type { DeliveryContext } from './delivery.ts';

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
    if (this.#failures === 0) return;
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

const MAX_LIMIT = 500;

interface BacklogOptions {
  readonly client: Pick<PeerClient, 'fetchInboundPage'>;
  readonly logger: Logger;
  /** Rows per read. */
  readonly limit: number;
  /** Most messages that the returned page may have. */
  readonly capacity: number;
  /** Looks back this far, in seconds. */
  readonly sinceSecs: number | undefined;
  /** Of the first read. */
  readonly waitSecs: number;
  /** Whether this message, and all before it, were finished by an earlier read. */
  readonly isBehind: (message: InboundMessage) => boolean;
  readonly signal: AbortSignal;
}

/**
 * Returns the oldest page that has to be read from a platform that keeps no acknowledgements: without a cursor it sends
 * its newest rows, so this goes backwards until a page is short, brings nothing older, or was read before. Only one page
 * is in memory; those between are read again forwards, after its last row.
 */
async function readOldestPage(options: BacklogOptions): Promise<InboundPage> {
  const { client, limit, sinceSecs, waitSecs, isBehind, signal } = options;
  const query = { limit, sinceSecs, order: 'desc', isRetried: false, takesTurns: true, signal } as const;
  const newest = await client.fetchInboundPage({ ...query, ...(waitSecs > 0 ? { waitSecs } : {}) });
  let oldest = newest;
  for (let isEnd = false; !isEnd && oldest.hasMore && !isAllBehind(oldest, isBehind); ) {
    const older = await readBefore(options, query, oldest);
    oldest = older.page;
    isEnd = older.isEnd;
  }
  const { waitApplied } = newest;
  return firstOf({ ...oldest, waitApplied, hasMore: newest.hasMore }, options.capacity);
}

/** `isEnd`: there is nothing before this page, or it cannot be read. */
interface OlderPage {
  readonly page: InboundPage;
  readonly isEnd: boolean;
}

/** Each step goes back in time, so that the steps end whatever the platform sends. */
async function readBefore(
  { client, logger }: BacklogOptions,
  query: { readonly limit: number },
  page: InboundPage,
): Promise<OlderPage> {
  const { oldestRow } = page;
  const at = Date.parse(oldestRow?.at ?? '');
  if (oldestRow === null || Number.isNaN(at)) return { page, isEnd: true };
  // Rows of the same moment may be on both sides of the page's end. More of them than a page has need a larger one.
  const sameMoment = new Date(at + 1).toISOString();
  const tries = [
    { limit: query.limit, beforeTs: sameMoment },
    { limit: MAX_LIMIT, beforeTs: sameMoment },
    { limit: query.limit, beforeTs: oldestRow.at },
  ];
  let end = page;
  for (const { limit, beforeTs } of tries) {
    try {
      const found = await client.fetchInboundPage({ ...query, limit, beforeTs });
      if (isOlder(found, oldestRow.at)) return { page: found, isEnd: false };
      if (limit >= page.rows && Date.parse(found.oldestRow?.at ?? '') === at) end = found;
      if (beforeTs === oldestRow.at && found.oldestRow !== null) {
        const text =
          'The platform sends no older rows of the feed: messages from before this time are not read.';
        logger.warn({ beforeTs }, text);
      }
    } catch (error) {
      if (!PageTooLargeError.isInstance(error)) throw error;
      if (limit > query.limit) continue;
      if (limit > 1) throw error;
      logger.error({ error, beforeTs }, 'A row of the feed is too large: older messages are not read.');
      break;
    }
  }
  return { page: end, isEnd: true };
}

/** Times of one platform have one format, in which parts of a millisecond can be compared as text. */
function isOlder({ oldestRow }: InboundPage, at: string): boolean {
  if (oldestRow === null) return false;
  const ms = Date.parse(oldestRow.at) - Date.parse(at);
  return ms < 0 || (ms === 0 && oldestRow.at.length === at.length && oldestRow.at < at);
}

function isAllBehind({ messages }: InboundPage, isBehind: BacklogOptions['isBehind']): boolean {
  return messages.length > 0 && messages.every(isBehind);
}

function firstOf(page: InboundPage, count: number): InboundPage {
  if (page.messages.length <= count) return page;
  const messages = page.messages.slice(0, count);
  return { ...page, messages, lastRowId: messages.at(-1)?.id ?? null, hasMore: true };
}
