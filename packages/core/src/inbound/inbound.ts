import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import type { PlatformClient } from '../client/platform-client.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { type LinkedAbort, linkAbort, orAborted } from '../time/linked-abort.ts';
import type { AttemptHandler } from './handling/attempt.ts';
import { MessageRun, type MessageRunOptions } from './handling/message-run.ts';
import { cancelledBySender, isCancellationOf } from './handling/rules.ts';
import { Scheduler } from './handling/scheduler.ts';
import type { InboundObserver } from './inbound-observer.ts';
import { InboundState } from './inbound-state.ts';
import { AckSender } from './position/ack-sender.ts';
import type { DeliveryInbox, FeedPosition, InboundDelivery } from './sources/message-source.ts';
import { StaleWatch } from './sources/stale-watch.ts';
import type { InboundStore } from './stores/inbound-store.ts';

const STALE_AFTER_SILENCES = 3;
const MAX_OPEN_ROWS = 1_000;
const RESTART_AFTER_MS = 5_000;

export interface InboundOptions {
  readonly client: Pick<PlatformClient, 'fetchInboundPage' | 'acknowledge' | 'reply'>;
  readonly delivery: InboundDelivery;
  readonly store: InboundStore;
  readonly handler: AttemptHandler;
  readonly observer: InboundObserver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  /** Most messages handled at the same time. */
  readonly concurrency: number;
  /** Most messages read ahead and not finished. */
  readonly readAhead: number;
  /** How long a handler may take, in milliseconds; `null` for as long as it likes. */
  readonly handlerTimeoutMs: number | null;
  readonly atMostOnce: boolean;
}

/**
 * The way of a message through the agent:
 *
 * 1. A delivery (`sources/`) hands it to {@link accept}; `state` drops it when it is a copy.
 * 2. The `scheduler` starts its {@link MessageRun} when a slot and its conversation are free.
 * 3. The run calls the handler, sends the answer, and finishes the message in `state`, which stores each step.
 * 4. `acks` sends the platform the position up to which everything is finished.
 */
export class Inbound implements DeliveryInbox {
  readonly #options: InboundOptions;
  readonly #state: InboundState;
  readonly #scheduler: Scheduler;
  readonly #acks: AckSender;
  readonly #runOptions: MessageRunOptions;
  readonly #watch: StaleWatch;
  readonly #life = linkAbort();
  #receiving: LinkedAbort | undefined;
  #receiver: Promise<void> = Promise.resolve();
  #roomMade = Promise.withResolvers<void>();
  #lastReadAt: number | undefined;

  constructor(options: InboundOptions) {
    const { observer, clock, logger, delivery, atMostOnce } = options;
    this.#options = options;
    const state = new InboundState({
      store: options.store,
      logger,
      onDegraded: (error) => observer.storageDegraded(error),
      onRecovered: () => observer.storageRecovered(),
      onFinished: () => this.#onFinished(),
    });
    const acks = new AckSender({ ...options, state });
    this.#state = state;
    this.#acks = acks;
    this.#runOptions = {
      ...options,
      state,
      acknowledgeFirst: atMostOnce ? (message, signal) => acks.acknowledgeFirst(message, signal) : null,
    };
    this.#scheduler = new Scheduler({
      ...options,
      onBlocked: (message) => observer.blocked(message),
      onUnblocked: () => observer.unblocked(),
    });
    this.#watch = new StaleWatch({
      clock,
      limitMs: STALE_AFTER_SILENCES * delivery.expectedSilenceMs,
      // An agent full of unfinished messages does not read: the feed is not to blame.
      isExpected: () => this.#free > 0,
      onStale: () => observer.stale(),
      onFresh: () => observer.fresh(),
    });
  }

  /** When the feed was last read, as Unix time in milliseconds. */
  get lastReadAt(): number | undefined {
    return this.#lastReadAt;
  }

  /** Messages being handled now. */
  get active(): number {
    return this.#scheduler.active;
  }

  /** Messages read and not finished. */
  get unfinished(): number {
    return this.#state.unfinished;
  }

  get acknowledged(): string | null {
    return this.#state.acknowledged;
  }

  /** Reads what an earlier run stored. Call once, first. */
  load(): Promise<void> {
    return this.#state.load();
  }

  /** Receives and handles, until {@link suspend} or {@link close}. */
  open(): void {
    if (this.#receiving !== undefined || this.#life.signal.aborted) return;
    const receiving = linkAbort(this.#life.signal);
    this.#receiving = receiving;
    this.#watch.start();
    this.#scheduler.release();
    // An earlier run may have ended before its last acknowledgement.
    this.#acks.send(this.#life.signal);
    this.#receiver = this.#receive(receiving.signal);
  }

  /** Receives nothing and starts no handler any more. What is being handled continues. */
  async suspend(): Promise<void> {
    this.#scheduler.hold();
    this.#watch.stop();
    this.#receiving?.abort();
    this.#receiving = undefined;
    await this.#receiver;
  }

  /** Aborts the signals of the handlers; what they leave unfinished stays so. */
  abortHandlers(reason: unknown): void {
    this.#scheduler.abortRunning(reason);
  }

  /** Resolves when nothing is being handled; suspend first. */
  idle(): Promise<void> {
    return this.#scheduler.idle();
  }

  /** Stores and acknowledges what is finished; gives up when `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#state.compact();
    await this.#acks.flush(signal);
  }

  /** Ends everything. Handlers that still run are not waited for, and their results are ignored. */
  close(): void {
    this.#watch.stop();
    this.#scheduler.close();
    this.#life.abort();
    this.#state.close();
  }

  get position(): string | null {
    return this.#state.readPosition;
  }

  async room(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#free > 0) return this.#free;
      await orAborted(this.#roomMade.promise, signal);
    }
  }

  accept(message: InboundMessage, position: FeedPosition | null): boolean {
    if (!this.#state.accept(message, position)) return false;
    if (message.method === 'cancel_task') this.#cancel(message);
    else {
      this.#options.observer.received(message);
      this.#scheduler.add(new MessageRun(message, this.#runOptions));
    }
    return true;
  }

  acceptPage(page: InboundPage): number {
    const fresh = page.messages.filter((message) => this.accept(message, { seq: message.seq }));
    this.#state.endPage(page);
    this.#lastReadAt = this.#options.clock.now();
    this.#watch.touch();
    this.#acks.send(this.#life.signal);
    return fresh.length;
  }

  async cursorLost(error: unknown): Promise<void> {
    await this.#state.forgetPosition();
    this.#options.observer.cursorLost(error);
  }

  async #receive(signal: AbortSignal): Promise<void> {
    const { client, clock, logger, random, delivery } = this.#options;
    const context = { client, inbox: this, clock, logger, random };
    while (!signal.aborted) {
      try {
        await delivery.run(context, signal);
        if (!signal.aborted) logger.error({ delivery: delivery.name }, 'The delivery ended by itself.');
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ error, delivery: delivery.name }, 'The delivery failed; it is started again.');
      }
      await clock.sleep(RESTART_AFTER_MS, { signal }).catch(() => {});
    }
  }

  #cancel(cancellation: InboundMessage): void {
    const { count, finished } = this.#scheduler.cancel(
      (other) => isCancellationOf(cancellation, other),
      cancelledBySender(),
    );
    this.#options.logger.info({ activityId: cancellation.id, count }, 'The sender cancelled a message.');
    // Not before what it cancels: after a crash in between, the cancelled message would be handled.
    if (count === 0) void this.#state.finish(cancellation);
    else void finished.then(() => this.#state.finish(cancellation));
  }

  #onFinished(): void {
    this.#acks.send(this.#life.signal);
    if (this.#free <= 0) return;
    this.#roomMade.resolve();
    this.#roomMade = Promise.withResolvers<void>();
  }

  /** How many more messages may be read. */
  get #free(): number {
    const { readAhead } = this.#options;
    const { unfinished, open } = this.#state;
    return Math.min(readAhead - unfinished, Math.max(MAX_OPEN_ROWS, readAhead) - open);
  }
}
