import type { InboundMessage } from '@molecule-ai/protocol';
import type { PlatformClient } from '../client/platform-client.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import { AckSender } from './ack-sender.ts';
import type { AttemptHandler } from './attempt-context.ts';
import { cancelledBySender, isCancellationOf } from './cancellation.ts';
import { Dispatcher } from './dispatcher.ts';
import type { InboundDelivery } from './inbound-delivery.ts';
import type { InboundObserver } from './inbound-observer.ts';
import { InboundStorage } from './inbound-storage.ts';
import type { InboundStores } from './inbound-stores.ts';
import { Inbox } from './inbox.ts';
import { MessageProcessor } from './message-processor.ts';
import { settleFirst } from './settle-first.ts';
import { StaleWatch } from './stale-watch.ts';

const STALE_AFTER_SILENCES = 3;
const MAX_OPEN_ROWS = 1_000;

/** What an {@link InboundPipeline} hears of the feed as a whole; must not throw. */
export interface FeedObserver {
  /** A message that is new to this agent. */
  received(message: InboundMessage): void;
  cursorLost(error: unknown): void;
  /** Nothing was read for three times as long as is normal. */
  stale(): void;
  fresh(): void;
  /** A handler runs for ten minutes, and other messages wait for it. */
  blocked(message: InboundMessage): void;
  unblocked(): void;
  storageTrouble(error: unknown): void;
  storageHealed(): void;
}

/** What an {@link InboundPipeline} needs. */
export interface InboundPipelineOptions {
  readonly port: Pick<PlatformClient, 'fetchInboundPage' | 'acknowledge' | 'reply'>;
  readonly delivery: InboundDelivery;
  readonly stores: InboundStores;
  readonly handler: AttemptHandler;
  readonly observer: InboundObserver & FeedObserver;
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

/** Everything from the feed to the acknowledgement: delivery → inbox → dispatcher → processor → acknowledgement. */
export class InboundPipeline {
  readonly #options: InboundPipelineOptions;
  readonly #storage: InboundStorage;
  readonly #inbox: Inbox;
  readonly #acks: AckSender;
  readonly #dispatcher: Dispatcher;
  readonly #watch: StaleWatch;
  readonly #life = linkAbort();
  #receiving: LinkedAbort | undefined;
  #receiver: Promise<void> = Promise.resolve();
  #lastReadAt: number | undefined;

  constructor(options: InboundPipelineOptions) {
    const { observer, clock, logger, random, port, delivery } = options;
    this.#options = options;
    this.#storage = new InboundStorage({
      stores: options.stores,
      logger,
      onTrouble: (error) => observer.storageTrouble(error),
      onHealed: () => observer.storageHealed(),
    });
    const storage = this.#storage;
    this.#inbox = new Inbox({
      storage,
      readAhead: options.readAhead,
      maxOpenRows: Math.max(MAX_OPEN_ROWS, options.readAhead),
      onMessage: (message) => this.#take(message),
      onRead: () => this.#noteRead(),
      onCursorLost: (error) => observer.cursorLost(error),
      onProgress: () => this.#acks.send(this.#life.signal),
    });
    const inbox = this.#inbox;
    this.#acks = new AckSender({
      port,
      clock,
      logger,
      random,
      position: () => inbox.acknowledged,
      save: () => inbox.save(),
    });
    const acks = this.#acks;
    const processor = new MessageProcessor({
      ...options,
      inbox,
      storage,
      settleFirst: options.atMostOnce
        ? (message, signal) => settleFirst({ inbox, acks, clock, random }, message, signal)
        : null,
    });
    this.#dispatcher = new Dispatcher({
      clock,
      logger,
      concurrency: options.concurrency,
      process: (message, signal) => processor.process(message, signal),
      onBlocked: (message) => observer.blocked(message),
      onFree: () => observer.unblocked(),
    });
    this.#watch = new StaleWatch({
      clock,
      limitMs: STALE_AFTER_SILENCES * delivery.expectedSilenceMs,
      // Full of unfinished messages, the agent does not read, and that is no fault of the feed.
      isExpected: () => inbox.hasRoom,
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
    return this.#dispatcher.active;
  }

  /** Messages read and not finished. */
  get unfinished(): number {
    return this.#inbox.unfinished;
  }

  get acknowledged(): string | null {
    return this.#inbox.acknowledged;
  }

  /** Reads what an earlier run left. Call once, first. */
  async load(): Promise<void> {
    await this.#inbox.load();
  }

  /** Receives and handles, until {@link suspend} or {@link close}. */
  open(): void {
    if (this.#receiving !== undefined || this.#life.signal.aborted) return;
    const receiving = linkAbort(this.#life.signal);
    this.#receiving = receiving;
    this.#watch.start();
    this.#dispatcher.release();
    // What an earlier run finished may not have been told.
    this.#acks.send(this.#life.signal);
    this.#receiver = this.#receive(receiving.signal);
  }

  /** Takes in and starts nothing more. What is being handled goes on. */
  async suspend(): Promise<void> {
    this.#dispatcher.hold();
    this.#watch.stop();
    this.#receiving?.abort();
    this.#receiving = undefined;
    await this.#receiver;
  }

  /** Aborts the signals of the handlers; what they leave unfinished stays so. */
  abortHandlers(reason: unknown): void {
    this.#dispatcher.abortRunning(reason);
  }

  /** Resolves when nothing is being handled; suspend first. */
  idle(): Promise<void> {
    return this.#dispatcher.idle();
  }

  /** Writes the books and tells the platform; gives up when `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#inbox.save();
    await this.#acks.flush(signal);
  }

  /** Lets go of everything. Handlers that still run are not waited for, and their results are ignored. */
  close(): void {
    this.#watch.stop();
    this.#dispatcher.close();
    this.#life.abort();
    this.#storage.close();
  }

  async #receive(signal: AbortSignal): Promise<void> {
    const { port, clock, logger, random, delivery } = this.#options;
    const context = { port, inbox: this.#inbox, clock, logger, random };
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

  #take(message: InboundMessage): void {
    if (message.method === 'cancel_task') {
      const { count, finished } = this.#dispatcher.cancel(
        (other) => isCancellationOf(message, other),
        cancelledBySender(),
      );
      this.#options.logger.info({ activityId: message.id, count }, 'The sender cancelled a message.');
      // Not before what it cancels: after a crash in between, the cancelled message would be handled.
      if (count === 0) void this.#inbox.finish(message);
      else void finished.then(() => this.#inbox.finish(message));
      return;
    }
    this.#options.observer.received(message);
    this.#dispatcher.add(message);
  }

  #noteRead(): void {
    this.#lastReadAt = this.#options.clock.now();
    this.#watch.touch();
  }
}

const RESTART_AFTER_MS = 5_000;
