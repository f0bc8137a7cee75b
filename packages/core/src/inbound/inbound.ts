import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import type { UnreadRow } from '../errors/api-error.ts';
import { receivedMessage } from '../peers/received-values.ts';
import { type LinkedAbort, linkAbort, orAborted, withDeadline } from '../time/linked-abort.ts';
import { AckSender } from './ack-sender.ts';
import type { WholeRoom } from './arrival-room.ts';
import { Cancellations } from './cancellations.ts';
import { DeadLetters } from './dead-letters.ts';
import { type DeliveryInbox, keepDelivering } from './delivery.ts';
import type { InboundOptions } from './inbound-options.ts';
import { Ledger, type OpenMessage } from './ledger.ts';
import { failureCode, outcomeOf } from './life.ts';
import { type InboundParts, MessageHome } from './message-home.ts';
import { type RequestInbox, Requests } from './requests.ts';
import { MessageRun } from './run.ts';
import { Scheduler } from './scheduler.ts';
import { AnswerStreams } from './streams/answer-stream.ts';
import { ProgressReports } from './streams/progress-reports.ts';

const MAX_OPEN_ROWS = 1_000;
/** How long the agent waits for a delivery and for handlers that ignore their abort, and for the last acknowledgement. */
const GRACE_MS = 5_000;
/** The sentence for the sender of a message that the agent cannot read. */
const UNREADABLE_TEXT = 'The message is too large for the agent to read.';

/**
 * How the agent processes a message:
 *
 * 1. A delivery passes it, or a request brings it ({@link Requests}); the {@link Ledger} drops copies.
 * 2. The {@link Scheduler} starts its {@link MessageRun} when a slot and its conversation are free.
 * 3. The run does what `next` of `life.ts` says: calls the handler, sends the answer, tries again, ends the message. The ledger stores each step.
 * 4. The {@link AckSender} reports the position up to which everything is finished to the platform, and how messages ended without an answer.
 */
export class Inbound implements DeliveryInbox, RequestInbox {
  /** What requests bring. */
  readonly requests: Requests;
  /** The messages that were given up, and their replays. */
  readonly deadLetters: DeadLetters;
  lastFinishedAt: number | null = null;
  readonly #options: InboundOptions;
  readonly #ledger: Ledger;
  readonly #scheduler: Scheduler;
  readonly #acks: AckSender;
  readonly #cancellations: Cancellations;
  readonly #parts: InboundParts;
  readonly #life = linkAbort();
  #receiving: LinkedAbort | undefined;
  #receiver: Promise<void> | undefined;
  /** When the delivery last passed a page or a message: `at` is Unix time, both are in milliseconds. */
  #lastRead: { readonly at: number; readonly monotonicMs: number } | undefined;
  #capacityFreed: PromiseWithResolvers<void> | undefined;

  constructor(options: InboundOptions) {
    const { client, clock, atMostOnce } = options;
    this.#options = options;
    const ledger = new Ledger(options, () => this.#onFinished());
    const acks = new AckSender(options, ledger);
    const streams = new AnswerStreams(clock, () => this.#scheduler.isPlaceWanted);
    const scheduler = new Scheduler(options, () => this.#cancellations.emptied());
    const reports = new ProgressReports(options, this.#life.signal);
    this.#ledger = ledger;
    this.#acks = acks;
    this.#scheduler = scheduler;
    this.#cancellations = new Cancellations(options, scheduler);
    this.#parts = { client, clock, ledger, acks, streams, reports, atMostOnce };
    this.requests = new Requests(this.#parts, this);
    this.deadLetters = new DeadLetters(ledger, scheduler, options);
  }

  /** Its part of the health of the agent. `lastGivenUp` may be of an earlier run; the wall clock does not change `inboundAgeMs`. */
  health() {
    const { clock, delivery } = this.#options;
    const { acknowledged, unfinished, deadLetters } = this.#ledger;
    const read = this.#lastRead;
    const letter = [...deadLetters.values()].at(-1);
    return {
      delivery: delivery.name,
      lastInboundAt: read === undefined ? null : new Date(read.at).toISOString(),
      inboundAgeMs: read === undefined ? null : clock.monotonic() - read.monotonicMs,
      inFlight: this.#scheduler.active,
      unfinished,
      acknowledged,
      deadLetters: deadLetters.size,
      lastGivenUp:
        letter === undefined
          ? null
          : { activityId: letter.activityId, code: letter.errorCode, at: letter.at },
    };
  }

  /** Loads the stored state. Call once, before anything else. */
  async load(): Promise<void> {
    for (const record of await this.#ledger.load()) this.begin(record);
  }

  /** Receives and handles messages until {@link suspend} or {@link close}. */
  open(): void {
    if (this.#receiving !== undefined || this.#life.signal.aborted) return;
    const { delivery, watch } = this.#options;
    const receiving = linkAbort(this.#life.signal);
    this.#receiving = receiving;
    watch.open(receiving.signal);
    this.#scheduler.release();
    this.#cancellations.open();
    this.requests.open();
    // An earlier run may have ended before it sent its last acknowledgement.
    this.#acks.send(this.#life.signal);
    this.#receiver = keepDelivering(delivery, { ...this.#options, inbox: this }, receiving.signal);
  }

  /** Stops receiving and starting handlers. Running handlers continue. Never rejects. */
  async suspend(): Promise<void> {
    this.requests.close();
    this.#scheduler.hold();
    this.#cancellations.close();
    this.#options.watch.close();
    this.#receiving?.abort();
    this.#receiving = undefined;
    const text = 'The delivery did not react to its abort signal; the agent no longer waits for it.';
    await this.#within(GRACE_MS, 'The delivery', () => this.#receiver, text);
  }

  /** Aborts the signals of running handlers. */
  abortHandlers(reason: unknown): void {
    this.#scheduler.abortRunning(reason);
  }

  /** Waits for running handlers, then aborts their signals with `reason`. Call {@link suspend} first. Never rejects. */
  async drain(timeoutMs: number, reason: unknown): Promise<void> {
    if (timeoutMs > 0) await this.#within(timeoutMs, 'The handlers', () => this.#scheduler.idle());
    if (this.#scheduler.active === 0) return;
    this.abortHandlers(reason);
    const text = 'Handlers did not react to their abort signal; the agent no longer waits for them.';
    await this.#within(GRACE_MS, 'The handlers', () => this.#scheduler.idle(), text);
  }

  /** Stores the state and acknowledges finished messages. Never rejects. */
  async flush(): Promise<void> {
    const text = 'Finished messages could not be acknowledged; this is repeated at the next start.';
    const flush = async (signal: AbortSignal): Promise<void> => {
      await this.#ledger.compact();
      await this.#acks.flush(signal);
    };
    await this.#within(GRACE_MS, 'The last acknowledgement', flush, text);
  }

  /** Sends the acknowledged position, which the delivery has held back until now. */
  positionReleased(): void {
    this.#acks.send(this.#life.signal);
  }

  /** Does not wait for running handlers; their results are ignored. */
  close(reason?: unknown): void {
    this.deadLetters.close(reason);
    this.#options.watch.close();
    this.#cancellations.close();
    this.#scheduler.close();
    this.#life.abort();
    this.#ledger.close();
  }

  /** The feed is read after this row. */
  get position(): string | null {
    return this.#ledger.readPosition;
  }

  async waitForCapacity(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const free = this.#free;
      if (free > 0) return free;
      this.#capacityFreed ??= Promise.withResolvers<void>();
      await orAborted(this.#capacityFreed.promise, signal);
    }
  }

  accept(message: InboundMessage): boolean {
    const { client } = this.#options;
    const isReturned = message.inReplyTo !== '' && client.observeReply(message);
    const isNew = !isReturned && this.#received(receivedMessage(message, client.workspaceId));
    this.#recordActivity();
    return isNew;
  }

  acceptPage(page: InboundPage): number {
    this.#options.observer.recovered('feed-too-large');
    const fresh = page.messages.filter((message) => this.#received(message, message.seq));
    this.#ledger.endPage(page);
    this.#recordActivity();
    this.#acks.send(this.#life.signal);
    return fresh.length;
  }

  tooLarge(error: unknown): void {
    this.#options.observer.degraded('feed-too-large', error);
  }

  async setAside(row: UnreadRow, error: unknown): Promise<void> {
    const { clock, observer } = this.#options;
    const { id: activityId, messageId, sourceId } = row;
    const at = new Date(clock.now()).toISOString();
    const errorCode = failureCode(error);
    const unread = { stage: 'handler', attempts: 0, message: null, progress: null } as const;
    const letter = { ...unread, activityId, messageId, sourceId, errorCode, at };
    await this.#ledger.setAside(row, letter, {
      outcome: 'failed',
      error: { message: UNREADABLE_TEXT, code: errorCode },
    });
    observer.setAside({ activityId, messageId }, error);
  }

  isBehind(message: InboundMessage): boolean {
    return this.#ledger.isBehind(message.id);
  }

  async cursorLost(error: unknown): Promise<void> {
    await this.#ledger.forgetPosition();
    this.#options.observer.cursorLost(error);
  }

  /** Whether the feed is read, as far as that depends on this agent, which does not read without free capacity. */
  get mayRead(): boolean {
    return this.#free > 0 && this.#options.delivery.expectedSilenceMs !== Number.POSITIVE_INFINITY;
  }

  get room(): WholeRoom {
    return { most: this.#options.readAhead, free: this.#free };
  }

  begin(record: OpenMessage): void {
    const { method } = record.message;
    // Its first attempt is stored with it, and awaits that before the handler runs.
    if (method !== 'cancel_task') this.#run(record);
    const stored = this.#ledger.stored(record);
    if (stored === true) this.#accepted(record);
    else void stored.then((isStored) => (isStored ? this.#accepted(record) : record.waiting.withdraw()));
  }

  cancel(row: string): boolean {
    return this.#cancellations.canceled(row);
  }

  /** Takes a message of the feed. False for a copy; of one that a request had brought the platform is given the end that it does not know. */
  #received(received: InboundMessage, seq?: number | null): boolean {
    const { workspaceId } = this.#options.client;
    // Our client has named it already.
    const message = received.conversationId === '' ? receivedMessage(received, workspaceId) : received;
    const record = this.#ledger.read(message, seq);
    if (record === null) return false;
    const { ended } = record;
    if (ended?.answer) this.#run(record);
    else if (ended !== undefined) void this.#ledger.finish(record, outcomeOf(ended));
    else if (this.#options.watch.received(message))
      void this.#ledger.finish(record, { outcome: 'unanswered' });
    else this.begin(record);
    return ended === undefined;
  }

  #accepted(record: OpenMessage): void {
    const { message } = record;
    if (message.method === 'cancel_task') {
      this.#cancellations.received(message, () => void this.#ledger.finish(record, null));
      return;
    }
    this.#options.observer.emit('message', message);
    this.#cancellations.added(message);
  }

  #run(record: OpenMessage): void {
    const home = new MessageHome(record, this.#parts);
    this.#scheduler.add(new MessageRun(record, home, this.#options));
  }

  /** Number of messages that may be accepted now. */
  get #free(): number {
    const { readAhead } = this.#options;
    return this.#ledger.freeOf(readAhead, Math.max(MAX_OPEN_ROWS, readAhead));
  }

  /** @param warning what is logged when it takes too long */
  async #within(
    timeoutMs: number,
    what: string,
    work: (signal: AbortSignal) => Promise<void> | undefined,
    warning?: string,
  ): Promise<void> {
    const { clock, logger } = this.#options;
    await withDeadline({ clock, timeoutMs, what }, work).catch((error: unknown) => {
      if (warning !== undefined) logger.warn({ error, inFlight: this.#scheduler.active }, warning);
    });
  }

  #recordActivity(): void {
    const { clock, watch } = this.#options;
    this.#lastRead = { at: clock.now(), monotonicMs: clock.monotonic() };
    watch.read();
  }

  #onFinished(): void {
    this.#acks.send(this.#life.signal);
    this.lastFinishedAt = this.#options.clock.monotonic();
    if (this.#capacityFreed === undefined || this.#free <= 0) return;
    this.#capacityFreed.resolve();
    this.#capacityFreed = undefined;
  }
}
