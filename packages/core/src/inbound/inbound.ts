import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import { AckSender } from './ack-sender.ts';
import { Cancellations } from './cancellations.ts';
import { DeadLetters } from './dead-letters.ts';
import { keepDelivering } from './delivery.ts';
import { FeedInbox } from './feed-inbox.ts';
import type { InboundOptions } from './inbound-options.ts';
import { Ledger, type OpenMessage } from './ledger.ts';
import { outcomeOf } from './life.ts';
import { MessageHome, type MessageHomeParts } from './message-home.ts';
import { Requests } from './requests.ts';
import { MessageRun } from './run.ts';
import { Scheduler } from './scheduler.ts';
import { InboundProbe, StaleWatch } from './silence.ts';
import { AnswerStreams } from './streams/answer-stream.ts';
import { ProgressReports } from './streams/progress-reports.ts';
import { WaitingRequests } from './waiting-requests.ts';

const STALE_AFTER_SILENCES = 3;

/**
 * How the agent processes a message:
 *
 * 1. A delivery passes it to the {@link FeedInbox}, or a request brings it ({@link Requests}); the {@link Ledger} drops copies.
 * 2. The {@link Scheduler} starts its {@link MessageRun} when a slot and its conversation are free.
 * 3. The run does what `next` of `life.ts` says: calls the handler, sends the answer, tries again, ends the message. The ledger stores each step.
 * 4. The {@link AckSender} reports the position up to which everything is finished to the platform, and how messages ended without an answer.
 */
export class Inbound {
  /** What requests bring. */
  readonly requests: Requests;
  /** The messages that were given up, and their replays. */
  readonly deadLetters: DeadLetters;
  readonly #options: InboundOptions;
  readonly #ledger: Ledger;
  readonly #scheduler: Scheduler;
  readonly #acks: AckSender;
  readonly #cancellations: Cancellations;
  readonly #watch: StaleWatch;
  readonly #probe: InboundProbe;
  readonly #waiting: WaitingRequests;
  readonly #inbox: FeedInbox;
  readonly #parts: MessageHomeParts;
  readonly #life = linkAbort();
  #receiving: LinkedAbort | undefined;
  #receiver: Promise<void> = Promise.resolve();
  #lastRead: { readonly at: number; readonly monotonicMs: number } | undefined;

  constructor(options: InboundOptions) {
    const { client, observer, clock, logger, delivery, readAhead, atMostOnce } = options;
    const { workspaceId } = client;
    this.#options = options;
    const ledger = new Ledger({
      store: options.store,
      logger,
      takesOutcomes: () => client.capabilities.has('outcomes'),
      onDegraded: (error) => observer.storageDegraded(error),
      onRecovered: () => observer.storageRecovered(),
      onFinished: () => this.#onFinished(),
    });
    this.#ledger = ledger;
    this.#acks = new AckSender({ ...options, ledger });
    this.#waiting = new WaitingRequests(clock);
    const streams = new AnswerStreams({ clock, isPlaceWanted: () => this.#scheduler.isPlaceWanted });
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
    });
    const reports = new ProgressReports({ ...options, signal: this.#life.signal });
    const { waiting, acks } = { waiting: this.#waiting, acks: this.#acks };
    this.#parts = { client, clock, ledger, acks, waiting, streams, reports, atMostOnce };
    this.#inbox = new FeedInbox({
      ...options,
      workspaceId,
      ledger,
      onMessage: (record) => this.#received(record),
      onActivity: () => this.#recordActivity(),
      onPage: () => this.#acks.send(this.#life.signal),
    });
    this.requests = new Requests({
      ...options,
      waiting: this.#waiting,
      streams,
      ledger,
      room: () => ({ most: readAhead, free: this.#inbox.free }),
      onMessage: (record) => this.#start(record),
      onCanceled: (row) => this.#cancellations.canceled(row),
    });
    this.deadLetters = new DeadLetters({ ledger, scheduler: this.#scheduler, run: options });
    const { sendInboundProbe } = client;
    this.#probe = new InboundProbe({
      ...options,
      workspaceId: workspaceId.toLowerCase(),
      afterMs: sendInboundProbe === undefined ? null : options.probeAfterMs,
      readWithinMs: () => delivery.expectedSilenceMs,
      isExpected: () => this.#isReading,
      send: async (messageId, signal) => sendInboundProbe?.call(client, messageId, { signal }),
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
    return this.#ledger.unfinished;
  }

  get acknowledged(): string | null {
    return this.#ledger.acknowledged;
  }

  get deadLetterCount(): number {
    return this.#ledger.deadLetters.length;
  }

  /** The message that was given up last, also by an earlier run. */
  get lastGivenUp(): { readonly activityId: string; readonly code: string; readonly at: string } | null {
    const letter = this.#ledger.deadLetters.at(-1);
    return letter === undefined
      ? null
      : { activityId: letter.activityId, code: letter.errorCode, at: letter.at };
  }

  /**
   * Loads the stored state. Call once, before anything else.
   * @throws MoleculeError `storage_failed` for the state of an earlier version.
   */
  async load(): Promise<void> {
    for (const record of await this.#ledger.load()) this.#start(record);
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
    this.requests.open();
    // An earlier run may have ended before it sent its last acknowledgement.
    this.#acks.send(this.#life.signal);
    this.#receiver = keepDelivering(delivery, { ...this.#options, inbox: this.#inbox }, receiving.signal);
  }

  /** Stops receiving and starting handlers. Running handlers continue. */
  async suspend(): Promise<void> {
    this.requests.close();
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
    await this.#ledger.compact();
    await this.#acks.flush(signal);
  }

  /** Sends the acknowledged position, which the delivery has held back until now. */
  positionReleased(): void {
    this.#acks.send(this.#life.signal);
  }

  /** Does not wait for running handlers; their results are ignored. */
  close(reason?: unknown): void {
    this.deadLetters.close(reason);
    this.#watch.stop();
    this.#probe.close();
    this.#cancellations.close();
    this.#scheduler.close();
    this.#waiting.withdrawAll();
    this.#life.abort();
    this.#ledger.close();
  }

  /** A message of the feed, or a copy of one that a request had brought: the platform is given the end that it does not know. */
  #received(record: OpenMessage): void {
    const { ended } = record;
    if (ended?.answer) this.#run(record);
    else if (ended !== undefined) void this.#ledger.finish(record, outcomeOf(ended));
    else if (this.#probe.received(record.message))
      void this.#ledger.finish(record, { outcome: 'unanswered' });
    else this.#start(record);
  }

  #start(record: OpenMessage): void {
    const { message } = record;
    // Its first attempt is stored with it, and awaits that before the handler runs.
    if (message.method !== 'cancel_task') this.#run(record);
    const stored = this.#ledger.stored(record);
    if (stored === true) this.#accepted(record);
    else void stored.then((isStored) => (isStored ? this.#accepted(record) : undefined));
  }

  #accepted(record: OpenMessage): void {
    const { message } = record;
    if (message.method === 'cancel_task') {
      this.#cancellations.received(message, () => void this.#ledger.finish(record, null));
      return;
    }
    this.#options.observer.received(message);
    this.#cancellations.added(message);
  }

  #run(record: OpenMessage): void {
    const home = new MessageHome(record, this.#parts);
    this.#scheduler.add(new MessageRun(record, home, this.#options));
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
    const monotonicMs = clock.monotonic();
    this.#lastRead = { at: clock.now(), monotonicMs };
    this.#watch.touch(monotonicMs);
  }

  #onFinished(): void {
    this.#acks.send(this.#life.signal);
    this.#inbox.finished();
  }
}
