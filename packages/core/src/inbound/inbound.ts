import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import { ArrivalRequests } from './arrivals/arrival-requests.ts';
import { Arrivals } from './arrivals/arrivals.ts';
import { Exchanges } from './arrivals/exchanges.ts';
import { Cancellations } from './handling/cancellations.ts';
import { DeadLetterReplays } from './handling/dead-letter-replays.ts';
import { MessageRuns } from './handling/message-runs.ts';
import { Scheduler } from './handling/scheduler.ts';
import type { InboundOptions } from './inbound-options.ts';
import { InboundState } from './inbound-state.ts';
import { AckSender } from './position/ack-sender.ts';
import { FeedInbox } from './sources/feed-inbox.ts';
import { InboundProbe } from './sources/inbound-probe.ts';
import { keepDelivering } from './sources/keep-delivering.ts';
import type { DeliveryInbox } from './sources/message-source.ts';
import { StaleWatch } from './sources/stale-watch.ts';
import { AnswerStreams } from './streams/answer-streams.ts';
import { ProgressReports } from './streams/progress-reports.ts';

const STALE_AFTER_SILENCES = 3;

/**
 * How the agent processes a message:
 *
 * 1. A delivery (`sources/`) passes it to the inbox, or a request brings it (`arrivals/`); `state` drops copies.
 * 2. The `scheduler` starts its run (`handling/`) when a slot and its conversation are free.
 * 3. The run calls the handler, sends the answer, and finishes the message in `state`, which stores each step.
 * 4. `acks` reports the position up to which everything is finished to the platform.
 */
export class Inbound {
  readonly #options: InboundOptions;
  readonly #state: InboundState;
  readonly #scheduler: Scheduler;
  readonly #acks: AckSender;
  readonly #replays: DeadLetterReplays;
  readonly #cancellations: Cancellations;
  readonly #watch: StaleWatch;
  readonly #probe: InboundProbe;
  readonly #exchanges: Exchanges;
  readonly #arrivals: Arrivals;
  readonly #requests: ArrivalRequests;
  readonly #inbox: FeedInbox;
  readonly #life = linkAbort();
  #receiving: LinkedAbort | undefined;
  #receiver: Promise<void> = Promise.resolve();
  #lastRead: { readonly at: number; readonly monotonicMs: number } | undefined;

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
    const isPlaceWanted = (): boolean => this.#scheduler.isPlaceWanted;
    const streams = new AnswerStreams({ clock, isPlaceWanted });
    this.#scheduler = new Scheduler({
      ...options,
      onBlocked: (message) => observer.blocked(message),
      onUnblocked: () => observer.unblocked(),
      onPlaceWanted: () => streams.placeWanted(),
      onEmpty: () => this.#cancellations.emptied(),
    });
    this.#cancellations = new Cancellations({
      ...options,
      scheduler: this.#scheduler,
      reads: delivery.controlReads,
      finish: (cancellation) => void state.finish(cancellation),
    });
    const exchanges = new Exchanges(clock);
    const arrivals = new Arrivals({
      ...options,
      exchanges,
      state,
      onMessage: (message, arrival, isStored) => runs.start(message, { arrival, isStored }),
    });
    this.#requests = new ArrivalRequests({
      ...options,
      arrivals,
      exchanges,
      streams,
      state,
      room: () => ({ most: options.readAhead, free: this.#inbox.free }),
      onCanceled: (row) => this.#cancellations.canceled(row),
    });
    // Answers go to the requests that wait for them.
    const { workspaceId } = options.client;
    const reply: typeof arrivals.reply = (...answer) => arrivals.reply(...answer);
    const run = {
      ...options,
      client: {
        workspaceId,
        get capabilities() {
          return options.client.capabilities;
        },
        reply,
      },
    };
    const runs = new MessageRuns({
      ...options,
      run,
      state,
      acks,
      arrivals,
      streams,
      reports: new ProgressReports({ ...options, signal: this.#life.signal }),
      scheduler: this.#scheduler,
      cancellations: this.#cancellations,
    });
    this.#exchanges = exchanges;
    this.#arrivals = arrivals;
    this.#inbox = new FeedInbox({
      ...options,
      workspaceId,
      state,
      onMessage: (message) => {
        if (this.#probe.received(message)) void state.finish(message, { outcome: 'unanswered' });
        else runs.start(message);
      },
      onCopy: (message, kept) => runs.finishCopy(message, kept),
      onActivity: () => this.#recordActivity(),
      onPage: () => acks.send(this.#life.signal),
    });
    this.#replays = new DeadLetterReplays({ state, scheduler: this.#scheduler, run });
    const { sendInboundProbe } = options.client;
    this.#probe = new InboundProbe({
      ...options,
      workspaceId: workspaceId.toLowerCase(),
      afterMs: sendInboundProbe === undefined ? null : options.probeAfterMs,
      readWithinMs: () => delivery.expectedSilenceMs,
      isExpected: () => this.#isReading,
      send: async (messageId, signal) => sendInboundProbe?.(messageId, { signal }),
      onDead: () => observer.dead(),
      onAlive: () => observer.alive(),
    });
    this.#watch = new StaleWatch({
      clock,
      limitMs: STALE_AFTER_SILENCES * delivery.expectedSilenceMs,
      // An agent without free capacity does not read the feed.
      isExpected: () => this.#inbox.free > 0 && delivery.expectedSilenceMs !== Number.POSITIVE_INFINITY,
      onStale: () => observer.stale(),
      onFresh: () => observer.fresh(),
    });
  }

  get deliveryName(): string {
    return this.#options.delivery.name;
  }

  /** When the delivery last passed a page or a message, as Unix time in milliseconds. */
  get lastReadAt(): number | undefined {
    return this.#lastRead?.at;
  }

  /** Time since then, in milliseconds; the wall clock does not change it. */
  get inboundAgeMs(): number | null {
    return this.#lastRead === undefined ? null : this.#options.clock.monotonic() - this.#lastRead.monotonicMs;
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
  async load(): Promise<void> {
    await this.#state.load();
    for (const arrival of this.#state.arrivals.resume()) this.#arrivals.start(arrival);
  }

  /** Receives and handles messages until {@link suspend} or {@link close}. */
  open(): void {
    if (this.#receiving !== undefined || this.#life.signal.aborted) return;
    const { delivery } = this.#options;
    const receiving = linkAbort(this.#life.signal);
    this.#receiving = receiving;
    this.#watch.start();
    this.#probe.open();
    this.#scheduler.release();
    this.#cancellations.open();
    this.#requests.open();
    // An earlier run may have ended before it sent its last acknowledgement.
    this.#acks.send(this.#life.signal);
    this.#receiver = keepDelivering(delivery, { ...this.#options, inbox: this.#inbox }, receiving.signal);
  }

  /** Stops receiving and starting handlers. Running handlers continue. */
  async suspend(): Promise<void> {
    this.#requests.close();
    this.#scheduler.hold();
    this.#cancellations.close();
    this.#watch.stop();
    this.#probe.close();
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

  /** Sends the acknowledged position, which the delivery has held back until now. */
  positionReleased(): void {
    this.#acks.send(this.#life.signal);
  }

  /** Does not wait for running handlers; their results are ignored. */
  close(reason?: unknown): void {
    this.#replays.close(reason);
    this.#watch.stop();
    this.#probe.close();
    this.#cancellations.close();
    this.#scheduler.close();
    this.#exchanges.withdrawAll();
    this.#life.abort();
    this.#state.close();
  }

  /** Takes what a delivery passes. */
  get inbox(): DeliveryInbox {
    return this.#inbox;
  }

  /** What requests bring. */
  get requests(): Omit<ArrivalRequests, 'open' | 'close'> {
    return this.#requests;
  }

  /** Whether a message that is sent now would be read, on a platform where messages to oneself come and end without an answer. */
  get #isReading(): boolean {
    const { client, delivery } = this.#options;
    const { capabilities } = client;
    const isOffered = capabilities.has('acknowledge') && capabilities.has('outcomes');
    return (
      isOffered &&
      this.#inbox.free > 0 &&
      !this.#watch.isStale &&
      delivery.expectedSilenceMs !== Number.POSITIVE_INFINITY
    );
  }

  #recordActivity(): void {
    const { clock } = this.#options;
    this.#lastRead = { at: clock.now(), monotonicMs: clock.monotonic() };
    this.#watch.touch();
  }

  #onFinished(): void {
    this.#acks.send(this.#life.signal);
    this.#inbox.finished();
  }
}
