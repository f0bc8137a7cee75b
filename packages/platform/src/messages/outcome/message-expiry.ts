import { isEnded } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import { timestamp } from '../../time/clock.ts';
import { RepeatedTasks } from '../../time/repeated-tasks.ts';
import type { MessageStore } from '../message.store.ts';
import type { OutcomeStore } from './outcome.store.ts';
import type { OutcomeRecorder } from './outcome-recorder.ts';

const SWEEP_EVERY_MS = 15_000;
const BATCH = 100;

export interface MessageExpiryOptions extends Pick<PlatformContext, 'clock' | 'database' | 'logger'> {
  readonly store: MessageStore;
  readonly outcomeStore: OutcomeStore;
  readonly outcomes: OutcomeRecorder;
}

/**
 * Ends messages whose time is over: all of them by one sweep each 15 seconds, and those that expire before the next
 * sweep by one timer for the earliest, so that a short deadline is met without a timer for each message.
 */
export class MessageExpiry {
  readonly #options: MessageExpiryOptions;
  readonly #tasks: RepeatedTasks;
  #dueAt = Number.POSITIVE_INFINITY;
  #cancelTimer = () => {};

  constructor(options: MessageExpiryOptions) {
    this.#options = options;
    this.#tasks = new RepeatedTasks(options.clock, options.logger);
  }

  start(): void {
    this.#sweepNow();
    this.#tasks.every('expire messages', SWEEP_EVERY_MS, () => this.#sweep());
  }

  stop(): Promise<void> {
    this.#cancelTimer();
    return this.#tasks.stop();
  }

  /** Notes when a message expires; what is further away than the next sweep costs nothing. */
  schedule(expiresAt: string | null): void {
    if (expiresAt === null || this.#tasks.stopped) return;
    const { clock } = this.#options;
    const dueAt = Date.parse(expiresAt);
    const delayMs = Math.max(0, dueAt - clock.now());
    if (delayMs > SWEEP_EVERY_MS || dueAt >= this.#dueAt) return;
    this.#cancelTimer();
    this.#dueAt = dueAt;
    this.#cancelTimer = clock.schedule(delayMs, () => {
      this.#dueAt = Number.POSITIVE_INFINITY;
      this.#sweepNow();
    });
  }

  #sweepNow(): void {
    this.#tasks.once('expire messages that are due', () => this.#sweep());
  }

  async #sweep(): Promise<void> {
    const { clock, outcomeStore } = this.#options;
    let due: readonly string[] = [];
    do {
      due = await outcomeStore.listExpired(timestamp(clock), BATCH);
      if (due.length > 0) await this.#expire(due);
    } while (due.length === BATCH && !this.#tasks.stopped);
    this.schedule(await outcomeStore.findNextExpiry());
  }

  #expire(ids: readonly string[]): Promise<void> {
    const { clock, database, outcomes, store } = this.#options;
    return database.transaction(async (unit) => {
      for (const id of ids) {
        for (;;) {
          const message = await store.find(id, unit.trx);
          const isDue = message?.expires_at !== null && (message?.expires_at ?? '') <= timestamp(clock);
          if (message === undefined || !isDue || isEnded(message.delivery_state)) break;
          if ((await outcomes.endMessage(unit, message, { state: 'expired' })) !== undefined) break;
        }
      }
    });
  }
}
