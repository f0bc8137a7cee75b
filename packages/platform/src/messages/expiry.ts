import { isEnded } from '@molecule-ai/protocol';
import { timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';
import type { MessageParts } from './transitions.ts';

const CHECK_EVERY_MS = 15_000;
/** The database is read so often, although no message that this process knows of is due. */
const READ_EVERY_MS = 5 * 60_000;
const BATCH = 100;

/**
 * Ends messages whose time is over. The earliest time is known in memory: it is compared with the clock each 15 seconds, and the database is
 * read when it has come. One timer is for a message that expires before the next comparison, so that a short deadline is met without a timer
 * for each message.
 */
export class MessageExpiry {
  readonly #options: MessageParts;
  readonly #tasks: RepeatedTasks;
  /** No message expires before; in Unix milliseconds. */
  #earliest = Number.POSITIVE_INFINITY;
  /** When the database was read last, on the monotonic clock. */
  #readAt = 0;
  #timerAt = Number.POSITIVE_INFINITY;
  #cancelTimer = () => {};

  constructor(options: MessageParts) {
    this.#options = options;
    this.#tasks = new RepeatedTasks(options.clock, options.logger);
  }

  start(): void {
    this.#sweepNow();
    this.#tasks.every('expire messages', CHECK_EVERY_MS, () => this.#sweepWhenDue());
  }

  stop(): Promise<void> {
    this.#cancelTimer();
    return this.#tasks.stop();
  }

  /** Notes when a message expires. Called for each one that is stored with such a time, or given another one. */
  readonly schedule = (expiresAt: string | null): void => {
    const at = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
    if (at >= this.#earliest || this.#tasks.stopped) return;
    this.#earliest = at;
    this.#setTimer();
  };

  /** What is further away than the next comparison needs no timer yet. */
  #setTimer(): void {
    const { clock } = this.#options;
    const delayMs = Math.max(0, this.#earliest - clock.now());
    if (delayMs > CHECK_EVERY_MS || this.#earliest >= this.#timerAt) return;
    this.#cancelTimer();
    this.#timerAt = this.#earliest;
    this.#cancelTimer = clock.schedule(delayMs, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#sweepNow();
    });
  }

  #sweepNow(): void {
    this.#tasks.once('expire messages that are due', () => this.#sweep());
  }

  async #sweepWhenDue(): Promise<void> {
    const { clock } = this.#options;
    const isDue = clock.now() >= this.#earliest || clock.monotonic() - this.#readAt >= READ_EVERY_MS;
    if (isDue) await this.#sweep();
    else this.#setTimer();
  }

  async #sweep(): Promise<void> {
    const { clock, store } = this.#options;
    // When this fails, the next comparison reads again.
    this.#readAt = Number.NEGATIVE_INFINITY;
    let due: readonly { readonly id: string }[] = [];
    do {
      due = await store.listExpired({ now: timestamp(clock), limit: BATCH });
      if (due.length > 0) await this.#expire(due);
    } while (due.length === BATCH && !this.#tasks.stopped);
    // Messages that are stored while this reads note their times themselves.
    this.#earliest = Number.POSITIVE_INFINITY;
    this.schedule((await store.findNextExpiry({}))?.expires_at ?? null);
    this.#readAt = clock.monotonic();
  }

  #expire(due: readonly { readonly id: string }[]): Promise<void> {
    const { database, store, transitions } = this.#options;
    return database.transaction(async (unit) => {
      for (const { id } of due) {
        for (;;) {
          const message = await store.find({ id }, unit.trx);
          const isDue = message?.expires_at !== null && (message?.expires_at ?? '') <= unit.at;
          if (message === undefined || !isDue || isEnded(message.delivery_state)) break;
          if ((await transitions.end(unit, message, { state: 'expired' })) !== undefined) break;
        }
      }
    });
  }
}
