import type { Clock } from '../../time/clock.ts';
import type { DeliveryInbox } from './message-source.ts';
import type { FeedReading } from './page-reader.ts';

const QUICK_INTERVAL_MS = 1_000;
const QUICK_TIME_MS = 30_000;
const PAUSE_AFTER_LIMIT_MS = 60_000;

/**
 * How long polling pauses between two reads. Who wrote or got an answer often writes again soon: for 30 s after a message
 * was read, and after one was finished, the feed is read every second. Not for a minute after the platform limited the rate
 * of reads.
 */
export class PollPace {
  readonly #clock: Clock;
  readonly #inbox: Pick<DeliveryInbox, 'lastFinishedAt'>;
  #mayBeQuickAt = Number.NEGATIVE_INFINITY;
  /** When a message was read last. */
  #readAt = Number.NEGATIVE_INFINITY;

  constructor({
    clock,
    inbox,
  }: { readonly clock: Clock; readonly inbox: Pick<DeliveryInbox, 'lastFinishedAt'> }) {
    this.#clock = clock;
    this.#inbox = inbox;
  }

  /** Call after each read. */
  follow(reading: FeedReading): void {
    const now = this.#clock.monotonic();
    if (reading.kind === 'limited') this.#mayBeQuickAt = now + PAUSE_AFTER_LIMIT_MS;
    if (reading.kind === 'page' && reading.isProgress && reading.page.messages.length > 0) this.#readAt = now;
  }

  get isQuick(): boolean {
    const now = this.#clock.monotonic();
    const latest = Math.max(this.#readAt, this.#inbox.lastFinishedAt ?? Number.NEGATIVE_INFINITY);
    return now >= this.#mayBeQuickAt && now < latest + QUICK_TIME_MS;
  }

  /** In milliseconds: `intervalMs`, or less. */
  pauseMs(intervalMs: number): number {
    return this.isQuick ? Math.min(intervalMs, QUICK_INTERVAL_MS) : intervalMs;
  }
}
