import type { InboundMessage } from '@molecule-ai/protocol';
import { withConversation } from '../client/conversation.ts';
import type { InboundPage } from '../client/inbound-page.ts';
import type { PlatformClient } from '../client/platform-client.ts';
import type { UnreadRow } from '../errors/page-too-large-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { type LinkedAbort, linkAbort, orAborted } from '../time/linked-abort.ts';
import type { AttemptHandler } from './handling/attempt.ts';
import { Cancellations } from './handling/cancellations.ts';
import { DeadLetterReplays } from './handling/dead-letter-replays.ts';
import { MessageRun, type RunSubject } from './handling/message-run.ts';
import { failureCode, GAVE_UP_TEXT, UNREADABLE_TEXT } from './handling/rules.ts';
import { Scheduler } from './handling/scheduler.ts';
import type { InboundObserver } from './inbound-observer.ts';
import { InboundState } from './inbound-state.ts';
import { AckSender } from './position/ack-sender.ts';
import { keepDelivering } from './sources/keep-delivering.ts';
import type { DeliveryInbox, FeedPosition, InboundDelivery } from './sources/message-source.ts';
import { StaleWatch } from './sources/stale-watch.ts';
import type { InboundStore } from './stores/inbound-store.ts';

const STALE_AFTER_SILENCES = 3;
const MAX_OPEN_ROWS = 1_000;

export interface InboundOptions {
  readonly client: Pick<
    PlatformClient,
    'workspaceId' | 'capabilities' | 'fetchInboundPage' | 'fetchCancellations' | 'acknowledge' | 'reply'
  >;
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
  readonly #replays: DeadLetterReplays;
  readonly #cancellations: Cancellations;
  readonly #watch: StaleWatch;
  readonly #life = linkAbort();
  #receiving: LinkedAbort | undefined;
  #receiver: Promise<void> = Promise.resolve();
  #capacityFreed = Promise.withResolvers<void>();
  #lastReadAt: number | undefined;
  #lastFinishedAt: number | null = null;

  constructor(options: InboundOptions) {
    const { observer, clock, logger, delivery } = options;
    this.#options = options;
    const state = new InboundState({
      store: options.store,
      logger,
      takesOutcomes: () => options.client.capabilities.has('outcomes'),
      onDegraded: (error) => observer.storageDegraded(error),
      onRecovered: () => observer.storageRecovered(),
      onFinished: () => this.#onFinished(),
    });
    const acks = new AckSender({ ...options, state });
    this.#state = state;
    this.#acks = acks;
    this.#scheduler = new Scheduler({
      ...options,
      onBlocked: (message) => observer.blocked(message),
      onUnblocked: () => observer.unblocked(),
      onEmpty: () => this.#cancellations.emptied(),
    });
    this.#cancellations = new Cancellations({
      ...options,
      scheduler: this.#scheduler,
      reads: delivery.controlReads,
      finish: (cancellation) => void state.finish(cancellation),
    });
    this.#replays = new DeadLetterReplays({ state, scheduler: this.#scheduler, run: options });
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
    const { delivery } = this.#options;
    const receiving = linkAbort(this.#life.signal);
    this.#receiving = receiving;
    this.#watch.start();
    this.#scheduler.release();
    this.#cancellations.open();
    // An earlier run may have ended before it sent its last acknowledgement.
    this.#acks.send(this.#life.signal);
    this.#receiver = keepDelivering(delivery, { ...this.#options, inbox: this }, receiving.signal);
  }

  /** Stops receiving and starting handlers. Running handlers continue. */
  async suspend(): Promise<void> {
    this.#scheduler.hold();
    this.#cancellations.close();
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

  /** The messages that were given up, and their replays. */
  get deadLetters(): Pick<DeadLetterReplays, 'list' | 'replay' | 'discard'> {
    return this.#replays;
  }

  get deadLetterCount(): number {
    return this.#state.deadLetters.count;
  }

  /** The message that was given up last, also by an earlier run. */
  get lastGivenUp(): { readonly activityId: string; readonly code: string; readonly at: string } | null {
    const letter = this.#state.deadLetters.all.at(-1);
    return letter === undefined
      ? null
      : { activityId: letter.activityId, code: letter.errorCode, at: letter.at };
  }

  /** Does not wait for running handlers; their results are ignored. */
  close(reason?: unknown): void {
    this.#replays.close(reason);
    this.#watch.stop();
    this.#cancellations.close();
    this.#scheduler.close();
    this.#life.abort();
    this.#state.close();
  }

  get position(): string | null {
    return this.#state.readPosition;
  }

  get lastFinishedAt(): number | null {
    return this.#lastFinishedAt;
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
    this.#options.observer.fits();
    const fresh = page.messages.filter((message) => this.#accept(message, { seq: message.seq }));
    this.#state.endPage(page);
    this.#recordActivity();
    this.#acks.send(this.#life.signal);
    return fresh.length;
  }

  tooLarge(error: unknown): void {
    this.#options.observer.tooLarge(error);
  }

  async setAside(row: UnreadRow, error: unknown): Promise<void> {
    const { clock, observer } = this.#options;
    const { id: activityId, messageId, sourceId } = row;
    const at = new Date(clock.now()).toISOString();
    const unread = { stage: 'handler', attempts: 0, message: null, progress: null } as const;
    const errorCode = failureCode(error);
    await this.#state.addDeadLetter({ ...unread, activityId, messageId, sourceId, errorCode, at });
    await this.#state.setAside(row, {
      outcome: 'failed',
      error: { message: UNREADABLE_TEXT, code: errorCode },
    });
    observer.setAside({ activityId, messageId }, error);
  }

  isBehind(message: InboundMessage): boolean {
    return this.#state.isBehind(message.id);
  }

  async cursorLost(error: unknown): Promise<void> {
    await this.#state.forgetPosition();
    this.#options.observer.cursorLost(error);
  }

  #accept(received: InboundMessage, position: FeedPosition | null): boolean {
    const message = withConversation(received, this.#options.client.workspaceId);
    if (!this.#state.accept(message, position)) return false;
    if (message.method === 'cancel_task') this.#cancellations.received(message);
    else {
      this.#options.observer.received(message);
      this.#scheduler.add(new MessageRun(this.#subjectOf(message), this.#options));
      this.#cancellations.added(message);
    }
    return true;
  }

  #recordActivity(): void {
    this.#lastReadAt = this.#options.clock.now();
    this.#watch.touch();
  }

  #subjectOf(message: InboundMessage): RunSubject {
    const state = this.#state;
    const { atMostOnce } = this.#options;
    return {
      message,
      progress: state.progressOf(message),
      isRetried: true,
      // At most once, nothing brings the message back, so nothing is kept for that.
      save: atMostOnce ? async () => {} : (change) => state.saveProgress(message, change),
      acknowledgeFirst: atMostOnce ? (signal) => this.#acks.acknowledgeFirst(message, signal) : null,
      finish: (end) => void state.finish(message, end),
      giveUp: async (letter) => {
        await state.addDeadLetter(letter);
        void state.finish(message, {
          outcome: 'failed',
          error: { message: GAVE_UP_TEXT, code: letter.errorCode },
        });
      },
    };
  }

  #onFinished(): void {
    this.#lastFinishedAt = this.#options.clock.monotonic();
    this.#acks.send(this.#life.signal);
    if (this.#free <= 0) return;
    this.#capacityFreed.resolve();
    this.#capacityFreed = Promise.withResolvers<void>();
  }

  /** Number of messages that may be read now. */
  get #free(): number {
    const { readAhead } = this.#options;
    const { unfinished, open, outcomes } = this.#state;
    const most = Math.max(MAX_OPEN_ROWS, readAhead);
    return Math.min(readAhead - unfinished, most - open, most - outcomes.size);
  }
}
