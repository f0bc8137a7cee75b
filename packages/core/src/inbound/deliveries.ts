import type { InboundPage } from '../client/inbound-page.ts';
import { CursorLostError, PageTooLargeError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import {
  checkMethods,
  describe,
  number,
  type Option,
  type OptionsOf,
  option,
  optionsSchema,
  parseOptions,
  type Refuse,
} from '../settings/options.ts';
import { ReconnectDelays } from '../time/backoff.ts';
import { orAborted } from '../time/linked-abort.ts';
import type { ControlReads, DeliveryContext, DeliveryInbox, InboundDelivery } from './delivery.ts';

const DEFAULT_POLL_INTERVAL_MS = 5_000;
const MIN_POLL_INTERVAL_MS = 1_000;
const REQUEST_ALLOWANCE_MS = 15_000;
const CURSOR_LOST_PAUSE_MS = 1_000;

/**
 * How messages are received. `push`: the platform posts them to the agent's own URL. `auto`: so too where the client has a
 * `reportedUrl` that the platform reaches; else it long-polls, or polls at an interval if the platform does not hold
 * requests.
 */
export type DeliveryChoice = 'auto' | 'long-poll' | 'poll' | 'push' | InboundDelivery;

/** A delivery and the name by which it was chosen, `own` for an object. */
export interface ChosenDelivery {
  readonly choice: Extract<DeliveryChoice, string> | 'own';
  readonly delivery: InboundDelivery;
}

/** The option `delivery` of an agent. */
export function deliveryOption(): Option<ChosenDelivery, DeliveryChoice> {
  return option<ChosenDelivery, DeliveryChoice>(
    (value = 'auto', refuse) => {
      if (typeof value === 'object' && value !== null)
        return { choice: 'own', delivery: checkDelivery(value, refuse) };
      if (value === 'push') return { choice: value, delivery: new PushDelivery() };
      if (value === 'poll') return { choice: value, delivery: new PollDelivery() };
      if (value === 'auto' || value === 'long-poll')
        return { choice: value, delivery: new LongPollDelivery() };
      return refuse(
        `must be "auto", "long-poll", "poll", "push" or an InboundDelivery, got ${describe(value)}`,
        'Leave it out for "auto".',
      );
    },
    { kind: "`'auto'`, `'long-poll'`, `'poll'`, `'push'` or an `InboundDelivery`" },
  );
}

function checkDelivery(value: object, refuse: Refuse): InboundDelivery {
  const hint = 'Pass new PollDelivery(), new LongPollDelivery(), or an InboundDelivery of your own.';
  const delivery = checkMethods<InboundDelivery>(value, ['run'], hint, refuse);
  const { expectedSilenceMs: silenceMs } = delivery;
  if (typeof silenceMs === 'number' && silenceMs > 0) return delivery;
  return refuse(
    `must be a number above 0, got ${describe(silenceMs)}`,
    'Set Infinity for a source that may be silent for any time.',
    'expectedSilenceMs',
  );
}

class FeedReadShape {
  /** Rows per read, 1–500. @default 100 */
  pageLimit = number({ min: 1, max: 500, isInteger: true, byDefault: 100 });
  /**
   * How far back an agent without a stored position reads on a platform without acknowledgements, in seconds.
   * @default everything that the platform keeps
   */
  sinceSecs = number({ min: 1, isInteger: true, byDefault: undefined });
}

class PollShape extends FeedReadShape {
  /**
   * Polling interval, in milliseconds, at least 1 000; 1 000 for 30 s after a message was read or finished.
   * @default 5_000
   */
  intervalMs = number({ min: MIN_POLL_INTERVAL_MS, byDefault: DEFAULT_POLL_INTERVAL_MS });
}

export interface PollDeliveryOptions extends OptionsOf<PollShape> {}

class LongPollShape extends FeedReadShape {
  /** How long the platform holds a request, in whole seconds, 1–60. Many proxies close idle requests after 60 s. @default 25 */
  waitSeconds = number({ min: 1, max: 60, isInteger: true, byDefault: 25 });
  /**
   * Polling interval for a platform that does not hold requests, in milliseconds; 1 000 for 30 s after a message was read or
   * finished. @default 5_000
   */
  fallbackIntervalMs = number({ min: MIN_POLL_INTERVAL_MS, byDefault: DEFAULT_POLL_INTERVAL_MS });
}

export interface LongPollDeliveryOptions extends OptionsOf<LongPollShape> {}

const POLL = optionsSchema(new PollShape());
const LONG_POLL = optionsSchema(new LongPollShape());

interface FeedReads extends PageReads {
  /** How long the platform is asked to hold a read, in seconds; 0 for an interval only. */
  readonly waitSeconds: number;
  readonly intervalMs: number;
}

/** Reads the feed, without a pause while there are more pages. */
abstract class FeedDelivery implements InboundDelivery {
  abstract readonly name: string;
  readonly #reads: FeedReads;

  constructor(reads: FeedReads) {
    this.#reads = reads;
  }

  get expectedSilenceMs(): number {
    return Math.max(this.#reads.waitSeconds * 1_000, this.#reads.intervalMs) + REQUEST_ALLOWANCE_MS;
  }

  get controlReads(): ControlReads {
    const { waitSeconds, intervalMs } = this.#reads;
    return waitSeconds === 0 ? { intervalMs } : { waitSeconds };
  }

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    const { clock, logger } = context;
    const { waitSeconds, intervalMs } = this.#reads;
    const reader = new InboundPageReader(context, this.#reads);
    let isHeld = waitSeconds > 0;
    // The first read does not wait, to find out immediately whether the feed can be read.
    for (let waitSecs = 0; ; ) {
      const startedAt = clock.monotonic();
      const reading = await reader.read(waitSecs, signal);
      const isInTurn = reading.kind !== 'page' || reading.page.isOutOfTurn !== true;
      if (reading.kind === 'page' && waitSecs > 0 && isInTurn && reading.page.waitApplied !== isHeld) {
        isHeld = reading.page.waitApplied;
        const text = isHeld
          ? 'The platform holds requests: long-polling.'
          : 'The platform does not hold requests: polling at an interval.';
        logger.info({ intervalMs }, text);
      }
      const tookMs = clock.monotonic() - startedAt;
      const pauseMs = this.#pauseMs(reading, reader, isHeld && isInTurn, tookMs);
      if (reading.kind === 'page') waitSecs = waitSeconds;
      if (pauseMs > 0) await clock.sleep(pauseMs, { signal });
    }
  }

  #pauseMs(reading: FeedReading, reader: InboundPageReader, isHeld: boolean, tookMs: number): number {
    if (reading.kind !== 'page') return reading.retryMs;
    if (reading.isProgress && (isHeld || reading.page.hasMore)) return 0;
    // Where it reads from the acknowledged position, unfinished rows end each wait at once.
    if (!isHeld || reading.page.rows > 0) return reader.pauseMs(this.#reads.intervalMs);
    // A platform that confirms the wait but returns an empty page immediately must not be flooded with requests.
    return reading.page.waitApplied && tookMs < MIN_POLL_INTERVAL_MS ? MIN_POLL_INTERVAL_MS : 0;
  }
}

/** Reads the feed at an interval, and without a pause while there are more pages. */
export class PollDelivery extends FeedDelivery {
  readonly name = 'poll';

  /** @throws ConfigurationError for an interval below 1 000 ms, a page limit outside 1–500 or a window below 1 s. */
  constructor(options: PollDeliveryOptions = {}) {
    super({ ...parseOptions('PollDelivery', POLL, options), waitSeconds: 0 });
  }
}

/**
 * The platform holds each read until a message arrives. A platform that does not confirm the wait is polled at an interval.
 * Each request still asks for the wait, so long-polling starts as soon as the platform supports it.
 */
export class LongPollDelivery extends FeedDelivery {
  readonly name = 'long-poll';

  /** @throws ConfigurationError for a wait outside 1–60 s, an interval below 1 000 ms, a limit outside 1–500. */
  constructor(options: LongPollDeliveryOptions = {}, reads: Partial<PageReads> = {}) {
    const { fallbackIntervalMs: intervalMs, ...read } = parseOptions('LongPollDelivery', LONG_POLL, options);
    super({ ...read, intervalMs, ...reads });
  }
}

const QUICK_INTERVAL_MS = 1_000;
const QUICK_TIME_MS = 30_000;
const PAUSE_AFTER_LIMIT_MS = 60_000;

const PUSH_PAGE_LIMIT = 100;

/**
 * The platform pushes each message to the agent's URL, also what it stored while nothing could be pushed. A platform without
 * acknowledgements may not: there that is read from the feed once. Elsewhere nothing is read, because a message on the feed may be
 * under way to another replica of this agent.
 */
export class PushDelivery implements InboundDelivery {
  readonly name = 'push';
  /** Nothing comes while nobody writes. */
  readonly expectedSilenceMs = Number.POSITIVE_INFINITY;
  /** Cancellations are pushed as well. */
  readonly controlReads = null;

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    if (!context.client.capabilities.has('acknowledge')) await readStored(context, signal);
    await orAborted(new Promise<never>(() => {}), signal);
  }
}

async function readStored(context: DeliveryContext, signal: AbortSignal): Promise<void> {
  const reads = { pageLimit: PUSH_PAGE_LIMIT, sinceSecs: undefined, isUnacknowledgedOnly: true };
  const reader = new InboundPageReader(context, reads);
  for (let isBehind = true; isBehind; ) {
    const reading = await reader.read(0, signal);
    if (reading.kind === 'page') isBehind = reading.page.hasMore;
    else await context.clock.sleep(reading.retryMs, { signal });
  }
}

/** What one read of the feed came to. `isProgress`: the position moved, so the next page is read without a pause. */
type FeedReading =
  | { readonly kind: 'page'; readonly page: InboundPage; readonly isProgress: boolean }
  | { readonly kind: 'failed'; readonly retryMs: number };

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
class InboundPageReader {
  readonly #context: DeliveryContext;
  readonly #reads: PageReads;
  #limit: number;
  readonly #delays = new ReconnectDelays();
  #failures = 0;
  #isReported = false;
  #hasLostCursor = false;
  /** When a message was read last. */
  #readAt = Number.NEGATIVE_INFINITY;
  #mayBeQuickAt = Number.NEGATIVE_INFINITY;

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
      // Nothing says where to start, neither a position nor the platform.
      const isUnmarked = position === null && !client.capabilities.has('acknowledge');
      const page = isUnmarked
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
      const isProgress = fresh > 0 || inbox.position !== position;
      if (isProgress && page.messages.length > 0) this.#readAt = this.#context.clock.monotonic();
      return { kind: 'page', page, isProgress };
    } catch (error) {
      signal.throwIfAborted();
      if (PageTooLargeError.isInstance(error)) return this.#tooLarge(error, limit);
      if (!CursorLostError.isInstance(error)) return this.#failed(error);
      this.#hasLostCursor = true;
      await inbox.cursorLost(error);
      return { kind: 'failed', retryMs: CURSOR_LOST_PAUSE_MS };
    }
  }

  /**
   * Returns the oldest page that has to be read from a platform that keeps no acknowledgements: without a cursor it sends
   * its newest rows, so this goes backwards until a page is short, brings nothing older, or was read before. Only one page
   * is in memory; those between are read again forwards, after its last row.
   * @param capacity most messages that the page may have
   */
  async #readOldest(capacity: number, waitSecs: number, signal: AbortSignal): Promise<InboundPage> {
    const { client, inbox } = this.#context;
    const sinceSecs = this.#hasLostCursor ? undefined : this.#reads.sinceSecs;
    const fixed = { order: 'desc', isRetried: false, takesTurns: true } as const;
    const query = { ...fixed, limit: this.#limit, sinceSecs, signal };
    const newest = await client.fetchInboundPage({ ...query, ...(waitSecs > 0 ? { waitSecs } : {}) });
    let oldest = newest;
    for (let isEnd = false; !isEnd && oldest.hasMore && !isAllBehind(oldest, inbox); ) {
      const older = await readBefore(this.#context, query, oldest);
      oldest = older.page;
      isEnd = older.isEnd;
    }
    const { waitApplied } = newest;
    return firstOf({ ...oldest, waitApplied, hasMore: newest.hasMore }, capacity);
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
    const { clock, logger } = this.#context;
    this.#failures += 1;
    const isLimited = MoleculeError.isInstance(error) && error.code === 'rate_limited';
    if (isLimited) this.#mayBeQuickAt = clock.monotonic() + PAUSE_AFTER_LIMIT_MS;
    // One failure that is over with the next read is no news.
    const isTransient = MoleculeError.isInstance(error) && error.isRetryable && !isLimited;
    if (!this.#isReported && (this.#failures > 1 || !isTransient)) {
      this.#isReported = true;
      const problem = isLimited
        ? 'The platform limits the rate of requests; the inbound feed is read again later.'
        : 'The inbound feed cannot be read; retrying.';
      logger.warn({ error }, problem);
    }
    return { kind: 'failed', retryMs: this.#delays.next(error, this.#context) };
  }

  /**
   * How long polling pauses after a page: `intervalMs`, or less. Who wrote or got an answer often writes again soon: for 30 s after a message
   * was read, and after one was finished, the feed is read every second. Not for a minute after the platform limited the rate
   * of reads.
   */
  pauseMs(intervalMs: number): number {
    const { clock, inbox } = this.#context;
    const now = clock.monotonic();
    const latest = Math.max(this.#readAt, inbox.lastFinishedAt ?? Number.NEGATIVE_INFINITY);
    const isQuick = now >= this.#mayBeQuickAt && now < latest + QUICK_TIME_MS;
    return isQuick ? Math.min(intervalMs, QUICK_INTERVAL_MS) : intervalMs;
  }
}

const MAX_LIMIT = 500;

/**
 * Each step goes back in time, so that the steps end whatever the platform sends. `isEnd`: there is nothing before this page, or it
 * cannot be read.
 */
async function readBefore(
  { client, logger }: DeliveryContext,
  query: { readonly limit: number },
  page: InboundPage,
): Promise<{ readonly page: InboundPage; readonly isEnd: boolean }> {
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

function isAllBehind({ messages }: InboundPage, inbox: DeliveryInbox): boolean {
  return messages.length > 0 && messages.every((message) => inbox.isBehind(message));
}

function firstOf(page: InboundPage, count: number): InboundPage {
  if (page.messages.length <= count) return page;
  const messages = page.messages.slice(0, count);
  return { ...page, messages, lastRowId: messages.at(-1)?.id ?? null, hasMore: true };
}
