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
  /** Maximum number of messages handled at the same time. */
  readonly concurrency: number;
  /** Maximum number of messages read and not finished. */
  readonly readAhead: number;
  /** Time limit of a handler, in milliseconds; `null` for none. */
  readonly handlerTimeoutMs: number | null;
  readonly atMostOnce: boolean;
}

/**
 * How the agent processes a message:
 *
 * 1. A delivery (`sources/`) passes it to {@link accept}; `state` drops copies.
 * 2. The `scheduler` starts its {@link MessageRun} when a slot and its conversation are free.
 * 3. The run calls the handler, sends the answer, and finishes the message in `state`, which stores each step.
 * 4. `acks` reports the position up to which everything is finished to the platform.
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
  #capacityFreed = Promise.withResolvers<void>();
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
      // An agent without free capacity does not read the feed.
      isExpected: () => this.#free > 0,
      onStale: () => observer.stale(),
      onFresh: () => observer.fresh(),
    });
  }

  /** When the delivery last passed a page or a message, as Unix time in milliseconds. */
  get lastReadAt(): number | undefined {
    return this.#lastReadAt;
  }

  /** Number of messages being handled. */
  get active(): number {
    return this.#scheduler.active;
  }

  /** Number of messages read and not finished. */
  get unfinished(): number {
    return this.#state.unfinished;
  }

  get acknowledged(): string | null {
    return this.#state.acknowledged;
  }

  /** Loads the stored state. Call once, before anything else. */
  load(): Promise<void> {
    return this.#state.load();
  }

  /** Receives and handles messages until {@link suspend} or {@link close}. */
  open(): void {
    if (this.#receiving !== undefined || this.#life.signal.aborted) return;
    const receiving = linkAbort(this.#life.signal);
    this.#receiving = receiving;
    this.#watch.start();
    this.#scheduler.release();
    // An earlier run may have ended before it sent its last acknowledgement.
    this.#acks.send(this.#life.signal);
    this.#receiver = this.#receive(receiving.signal);
  }

  /** Stops receiving and starting handlers. Running handlers continue. */
  async suspend(): Promise<void> {
    this.#scheduler.hold();
    this.#watch.stop();
    this.#receiving?.abort();
    this.#receiving = undefined;
    await this.#receiver;
  }

  /** Aborts the signals of running handlers. */
  abortHandlers(reason: unknown): void {
    this.#scheduler.abortRunning(reason);
  }

  /** Resolves when no handler is running. Call {@link suspend} first. */
  idle(): Promise<void> {
    return this.#scheduler.idle();
  }

  /** Stores the state and acknowledges finished messages, until `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#state.compact();
    await this.#acks.flush(signal);
  }

  /** Does not wait for running handlers; their results are ignored. */
  close(): void {
    this.#watch.stop();
    this.#scheduler.close();
    this.#life.abort();
    this.#state.close();
  }

  get position(): string | null {
    return this.#state.readPosition;
  }

  async waitForCapacity(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#free > 0) return this.#free;
      await orAborted(this.#capacityFreed.promise, signal);
    }
  }

  accept(message: InboundMessage, position: FeedPosition | null): boolean {
    const isNew = this.#accept(message, position);
    this.#recordActivity();
    return isNew;
  }

  acceptPage(page: InboundPage): number {
    const fresh = page.messages.filter((message) => this.#accept(message, { seq: message.seq }));
    this.#state.endPage(page);
    this.#recordActivity();
    this.#acks.send(this.#life.signal);
    return fresh.length;
  }

  async cursorLost(error: unknown): Promise<void> {
    await this.#state.forgetPosition();
    this.#options.observer.cursorLost(error);
  }

  #accept(message: InboundMessage, position: FeedPosition | null): boolean {
    if (!this.#state.accept(message, position)) return false;
    if (message.method === 'cancel_task') this.#cancel(message);
    else {
      this.#options.observer.received(message);
      this.#scheduler.add(new MessageRun(message, this.#runOptions));
    }
    return true;
  }

  #recordActivity(): void {
    this.#lastReadAt = this.#options.clock.now();
    this.#watch.touch();
  }

  async #receive(signal: AbortSignal): Promise<void> {
    const { client, clock, logger, random, delivery } = this.#options;
    const context = { client, inbox: this, clock, logger, random };
    while (!signal.aborted) {
      try {
        await delivery.run(context, signal);
        if (!signal.aborted)
          logger.error({ delivery: delivery.name }, 'The delivery ended unexpectedly; it is restarted.');
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ error, delivery: delivery.name }, 'The delivery failed; it is restarted.');
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
    // Only after the messages it cancels: otherwise they would be handled after a crash in between.
    if (count === 0) void this.#state.finish(cancellation);
    else void finished.then(() => this.#state.finish(cancellation));
  }

  #onFinished(): void {
    this.#acks.send(this.#life.signal);
    if (this.#free <= 0) return;
    this.#capacityFreed.resolve();
    this.#capacityFreed = Promise.withResolvers<void>();
  }

  /** Number of messages that may be read now. */
  get #free(): number {
    const { readAhead } = this.#options;
    const { unfinished, open } = this.#state;
    return Math.min(readAhead - unfinished, Math.max(MAX_OPEN_ROWS, readAhead) - open);
  }
}
