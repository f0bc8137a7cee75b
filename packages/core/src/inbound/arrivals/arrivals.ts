import type { InboundMessage, JsonObject } from '@molecule-ai/protocol';
import type { PlatformClient } from '../../client/platform-client.ts';
import { type ReplyContent, type ReplyOptions, type ReplyReceipt, replyIdOf } from '../../client/reply.ts';
import type {
  ArrivalEnd,
  InboundCaller,
  InboundRequest,
  InboundResult,
} from '../../inbound-http/inbound-agent.ts';
import type { Clock } from '../../time/clock.ts';
import { GAVE_UP_TEXT } from '../handling/rules.ts';
import type { InboundState, MessageEnd } from '../inbound-state.ts';
import type { StoredAnswer } from '../stores/message-progress.ts';
import { type Arrival, askedKeys, type KeptEnd } from './arrival.ts';
import { readArrival } from './arrival-message.ts';
import {
  aboutOf,
  CLOSED,
  CONFLICT,
  EXPIRED_ANSWER,
  ended,
  endOfAnswer,
  endOfNotice,
  endOfOutcome,
  isOther,
  keysOf,
  notAccepting,
  questionsIn,
  STARTING,
  unanswered,
  working,
} from './arrival-results.ts';
import type { WholeRoom } from './arrival-room.ts';
import type { ExchangeResult, Exchanges } from './exchanges.ts';

export interface ArrivalsOptions {
  readonly client: Pick<
    PlatformClient,
    'workspaceId' | 'capabilities' | 'reply' | 'observeReply' | 'askQuestions'
  >;
  readonly clock: Clock;
  readonly exchanges: Exchanges;
  readonly state: Pick<InboundState, 'arrivals' | 'isOpen' | 'outcomes' | 'save'>;
  /** The room for messages that are read, or brought by requests. */
  readonly room: () => WholeRoom;
  /** Handles a new message, as soon as it is stored. */
  readonly onMessage: (message: InboundMessage, arrival: Arrival, isStored: Promise<boolean>) => void;
  /** Ends the handling of a row; false when it is not handled. */
  readonly onCanceled: (row: string) => boolean;
}

/**
 * The messages that requests bring, while they are handled. A message counts as accepted when it is stored. Its answer is
 * the response of the request as long as that waits, and afterwards a reply.
 */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  /** In progress, by row, and the rows by the ids under which their senders ask for them. */
  readonly #running = new Map<string, Arrival>();
  readonly #tasks = new Map<string, string>();
  #isOpen = false;
  #hasOpened = false;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  open(): void {
    this.#hasOpened = true;
    this.#isOpen = true;
  }

  /** Accepts no more messages. Those in progress keep their requests. */
  close(): void {
    this.#isOpen = false;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves with the end of the message, or with what is known when the request no longer waits. Never rejects. */
  async receive(request: InboundRequest): Promise<InboundResult> {
    const { caller, envelope } = request;
    const { client, state, exchanges, room } = this.#options;
    if (!this.#isOpen) return this.#hasOpened ? CLOSED : STARTING;
    const read = readArrival(caller, envelope, {
      workspaceId: client.workspaceId,
      hasCheckedAnswers: client.capabilities.has('questions'),
      receivedAt: this.#now(),
    });
    if (read.kind === 'refused') return read;
    const { arrival } = read;
    const known = state.arrivals.find(arrival.message);
    if (known.kind === 'finished') return this.#repeated(arrival, known.kept);
    if (known.kind === 'pending') {
      if (isOther(arrival, known.arrival)) return CONFLICT;
      return this.#resultOf(arrival, await exchanges.wait(known.row, request));
    }
    if (client.observeReply(arrival.message)) return ended(aboutOf(arrival), unanswered(this.#now()));
    if (!state.arrivals.hasRoom(arrival, room())) {
      return notAccepting('The agent has as many messages as it can take, in all or from this sender.');
    }
    const { id } = arrival.message;
    const waiting = exchanges.wait(id, request);
    const isStored = state.arrivals.add(arrival);
    // Begins at once, so that its first attempt is stored with it.
    this.start(arrival, isStored);
    if (await isStored) return this.#resultOf(arrival, await waiting);
    this.#forget(arrival);
    exchanges.withdraw(id);
    return notAccepting('The agent cannot store messages at the moment.');
  }

  /** Handles a message, if it is stored. */
  start(arrival: Arrival, isStored: Promise<boolean> = Promise.resolve(true)): void {
    const { id } = arrival.message;
    this.#running.set(id, arrival);
    for (const key of keysOf(arrival)) this.#tasks.set(key, id);
    this.#options.onMessage(arrival.message, arrival, isStored);
  }

  #forget(arrival: Arrival): void {
    this.#running.delete(arrival.message.id);
    for (const key of keysOf(arrival)) this.#tasks.delete(key);
  }

  /** The state of a message that this caller sent; `null` for any other. */
  find(caller: InboundCaller, taskId: string): InboundResult | null {
    const arrival = this.#runningOf(caller, taskId);
    if (arrival !== undefined) return this.#working(arrival);
    const kept = this.#options.state.arrivals.findEnd(askedKeys(caller, taskId));
    return kept === undefined ? null : ended(kept, kept.end);
  }

  /** Ends a message that this caller sent; the platform may name any row. */
  cancel(caller: InboundCaller, taskId: string): InboundResult | null {
    const { onCanceled } = this.#options;
    const arrival = this.#runningOf(caller, taskId);
    const end: ArrivalEnd = { state: 'canceled', at: this.#now(), answer: null, error: null };
    if (arrival !== undefined) {
      return onCanceled(arrival.message.id) ? ended(aboutOf(arrival), end) : this.#working(arrival);
    }
    const kept = this.#options.state.arrivals.findEnd(askedKeys(caller, taskId));
    if (kept !== undefined) return ended(kept, kept.end);
    if (caller.use !== 'push' || !onCanceled(taskId)) return null;
    return { kind: 'ended', taskId, messageId: '', contextId: '', end };
  }

  /**
   * Sends the answer of any message. While a request waits for it, it is the response, which is kept for repeats first; else
   * it is sent through the platform, and so are all but the first.
   */
  async reply(
    message: InboundMessage,
    content: string | ReplyContent,
    options: ReplyOptions,
  ): Promise<ReplyReceipt> {
    const { client, exchanges, state } = this.#options;
    const { id } = message;
    const arrival = this.#running.get(id);
    const isFirst = options.idempotencyKey === undefined;
    const isWaited = isFirst && exchanges.isOpen(id);
    if (!isFirst || (arrival === undefined && !isWaited)) return client.reply(message, content, options);
    const answer = typeof content === 'string' ? { text: content } : content;
    const messageId = replyIdOf(client.workspaceId, id);
    const end =
      options.end === undefined
        ? endOfAnswer(answer, messageId, this.#now())
        : endOfNotice(answer.text, options.end, this.#now());
    if (arrival?.use === 'direct') await this.#ask(message, answer.metadata, options.signal);
    const isUnknown = arrival !== undefined && message.source === 'unknown';
    if (arrival !== undefined && (isUnknown || (isWaited && !state.arrivals.isOnFeed(message)))) {
      await state.arrivals.keepEnd(arrival, end);
      // Nobody but the caller itself can be given an answer to a caller without a name.
      if (exchanges.complete(id, end) || isUnknown) return { status: 'sent', via: 'response', messageId };
    }
    // What leaves must be what a later run sends.
    if (arrival !== undefined) await state.save();
    const receipt = await client.reply(message, content, options);
    if (receipt.status === 'ignored') return receipt;
    if (arrival !== undefined) void state.arrivals.keepEnd(arrival, end);
    exchanges.complete(id, end);
    return receipt;
  }

  /**
   * What the sender of a direct message is sent instead of an answer, because the platform does not know the message;
   * `null` where its request still waits, or the platform gives it the end.
   */
  lateEnd({ id }: InboundMessage, { outcome, error }: MessageEnd): StoredAnswer | null {
    const isLate = this.#running.get(id)?.use === 'direct' && !this.#options.exchanges.isOpen(id);
    if (!isLate || (outcome !== 'failed' && outcome !== 'unanswered')) return null;
    const isFailed = outcome === 'failed';
    const text = isFailed
      ? (error?.message ?? GAVE_UP_TEXT)
      : 'The agent has nothing to say to this message.';
    return { text, end: { state: outcome, code: error?.code } };
  }

  /**
   * Ends a message, and calls `finish` to store that, with whether the platform learns the end otherwise than by an
   * outcome. The request that waits gets the end when it is stored.
   */
  end(
    { id }: InboundMessage,
    given: MessageEnd | null,
    finish: (isReported: boolean) => Promise<boolean>,
  ): void {
    const { exchanges, state } = this.#options;
    const arrival = this.#running.get(id);
    const isWaited = exchanges.isOpen(id);
    if (arrival === undefined && !isWaited) return void finish(false);
    if (arrival !== undefined) this.#forget(arrival);
    const at = this.#now();
    const end: ArrivalEnd =
      given === null ? { state: 'expired', at, answer: null, error: null } : endOfOutcome(given, at);
    // An answer is kept when it is sent.
    if (arrival !== undefined && given !== null && given.outcome !== 'accepted') {
      void state.arrivals.keepEnd(arrival, end);
    }
    const isReported = arrival !== undefined && (arrival.use !== 'push' || isWaited);
    void finish(isReported).then(() => exchanges.complete(id, end));
  }

  /** The requests of messages that are not finished get a response that makes the sender try again. */
  withdraw(): void {
    this.#options.exchanges.withdrawAll();
  }

  #repeated(arrival: Arrival, kept: KeptEnd | undefined): InboundResult {
    const { state } = this.#options;
    if (kept !== undefined) {
      const isSame = kept.digest === '' || arrival.digest === '' || kept.digest === arrival.digest;
      return isSame ? ended({ ...kept, use: arrival.use, row: arrival.message.id }, kept.end) : CONFLICT;
    }
    const { id } = arrival.message;
    // It was read from the feed, and the platform has not taken its end yet.
    if (arrival.use === 'push' && (state.isOpen(id) || state.outcomes.has(id))) return this.#working(arrival);
    return EXPIRED_ANSWER;
  }

  #runningOf(caller: InboundCaller, taskId: string): Arrival | undefined {
    const row = askedKeys(caller, taskId)
      .map((key) => this.#tasks.get(key))
      .find((found) => found !== undefined);
    return row === undefined ? undefined : this.#running.get(row);
  }

  #resultOf(arrival: Arrival, result: ExchangeResult): InboundResult {
    if (result.kind === 'ended') return ended(aboutOf(arrival), result.end);
    if (result.kind === 'left') return this.#working(arrival);
    return notAccepting('The agent stopped before the message was finished.');
  }

  #working(arrival: Arrival): InboundResult {
    return working(arrival, this.#now());
  }

  /** The platform keeps the questions of a direct message, which it does not know. */
  async #ask(
    { messageId, sourceId, contextId }: InboundMessage,
    metadata: JsonObject | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { client, state } = this.#options;
    const questions = questionsIn(metadata);
    if (questions.length === 0 || !client.capabilities.has('questions')) return;
    await state.save();
    await client.askQuestions({ questions, messageId, sourceId, contextId }, { signal });
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}
