import { isEnded } from '@molecule-ai/protocol';
import { timestamp } from '../time/clock.ts';
import type { MessageParts } from './transitions.ts';

const CHECK_EVERY_MS = 15_000;
const BATCH = 100;

/**
 * Ends messages whose time is over. The earliest time is known in memory: it is compared with the clock each 15 seconds, and the database is
 * read when it has come. One timer is for a message that expires before the next comparison, so that a short deadline is met without a timer
 * for each message.
 */
export class MessageExpiry {
  readonly #options: MessageParts;
  /** No message expires before; in Unix milliseconds. */
  #earliest = Number.NEGATIVE_INFINITY;
  #cancelTimer = () => {};

  constructor(options: MessageParts) {
    this.#options = options;
    options.tasks.atStart('expire messages', () => this.#sweep());
    options.tasks.every('expire messages', CHECK_EVERY_MS, async () => {
      if (options.clock.now() >= this.#earliest) await this.#sweep();
      else this.#setTimer();
    });
  }

  close(): void {
    this.#cancelTimer();
  }

  /** Notes when a message expires. Called for each one that is stored with such a time, or given another one. */
  readonly schedule = (expiresAt: string | null): void => {
    const at = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
    if (at >= this.#earliest || this.#options.tasks.stopped) return;
    this.#earliest = at;
    this.#setTimer();
  };

  /** What is further away than the next comparison needs no timer yet. */
  #setTimer(): void {
    const { clock, tasks } = this.#options;
    const delayMs = Math.max(0, this.#earliest - clock.now());
    if (delayMs > CHECK_EVERY_MS) return;
    this.#cancelTimer();
    const sweep = () => tasks.once('expire messages that are due', () => this.#sweep());
    this.#cancelTimer = clock.schedule(delayMs, sweep);
  }

  async #sweep(): Promise<void> {
    const { clock, store, tasks } = this.#options;
    let due: readonly { readonly id: string }[] = [];
    try {
      do {
        due = await store.listExpired({ now: timestamp(clock), limit: BATCH });
        if (due.length > 0) await this.#expire(due);
      } while (due.length === BATCH && !tasks.stopped);
      // Messages that are stored while this reads note their times themselves.
      this.#earliest = Number.POSITIVE_INFINITY;
      this.schedule((await store.findNextExpiry({}))?.expires_at ?? null);
    } catch (error) {
      // The next comparison reads again.
      this.#earliest = Number.NEGATIVE_INFINITY;
      throw error;
    }
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
