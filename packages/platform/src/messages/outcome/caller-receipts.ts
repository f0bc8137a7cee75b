import type { PlatformLogger } from '../../logging/logger.ts';
import type { Clock } from '../../time/clock.ts';
import type { OutcomeStore, SentOutcomeRow } from './outcome.store.ts';

const WRITE_AFTER_MS = 250;
const BATCH = 200;

/**
 * Records which outcomes their callers have received, in batches. An outcome whose receipt was not stored when the
 * process was killed is delivered again on the caller's feed: at least once.
 */
export class CallerReceipts {
  readonly #store: OutcomeStore;
  readonly #clock: Clock;
  readonly #logger: PlatformLogger;
  #pending: SentOutcomeRow[] = [];
  #cancel: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: {
    readonly store: OutcomeStore;
    readonly clock: Clock;
    readonly logger: PlatformLogger;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** `message` is as it was when its outcome was sent: it may be interrupted again or end meanwhile. */
  add({ id, changed_at }: SentOutcomeRow): void {
    this.#pending.push({ id, changed_at });
    if (this.#closed) void this.#flush();
    else this.#cancel ??= this.#clock.schedule(WRITE_AFTER_MS, () => void this.#flush());
  }

  /** Stores the collected receipts, and each later one at once, because the platform stops. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#flush();
  }

  #flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const pending = this.#pending;
    this.#pending = [];
    this.#writing = this.#writing.then(async () => {
      try {
        for (let from = 0; from < pending.length; from += BATCH) {
          await this.#store.markReceived(pending.slice(from, from + BATCH));
        }
      } catch (error) {
        const fields = { reason: String(error) };
        this.#logger.warn(
          fields,
          'Failed to store receipts of outcomes; the outcomes may be delivered again',
        );
      }
    });
    return this.#writing;
  }
}
