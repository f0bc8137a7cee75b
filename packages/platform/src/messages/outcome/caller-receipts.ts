import type { Kysely } from 'kysely';
import type { Database } from '../../database/schema.ts';
import type { Clock } from '../../time/clock.ts';
import { markTold } from '../message.store.ts';

const WRITE_AFTER_MS = 250;
const BATCH = 200;

/**
 * Collects which outcomes reached their callers and notes them in one statement for many. What a killed process
 * had not noted is told again on the caller's feed: at least once, never not at all.
 */
export class CallerReceipts {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  #pending: string[] = [];
  #cancel: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(db: Kysely<Database>, clock: Clock, onError: (error: unknown) => void) {
    this.#db = db;
    this.#clock = clock;
    this.#onError = onError;
  }

  add(queueId: string): void {
    this.#pending.push(queueId);
    if (this.#closed) void this.flush();
    else this.#cancel ??= this.#clock.schedule(WRITE_AFTER_MS, () => void this.flush());
  }

  /** Writes what is collected and from now on each outcome at once, because the platform stops. */
  close(): Promise<void> {
    this.#closed = true;
    return this.flush();
  }

  /** Writes what is collected; never rejects. */
  flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const pending = this.#pending;
    this.#pending = [];
    this.#writing = this.#writing.then(async () => {
      for (let from = 0; from < pending.length; from += BATCH) {
        await markTold(this.#db, pending.slice(from, from + BATCH));
      }
    });
    this.#writing = this.#writing.catch(this.#onError);
    return this.#writing;
  }
}
