import type { InboundMessage, JsonObject } from '@molecule-ai/protocol';
import type { PlatformClient } from '../../client/platform-client.ts';
import { type ReplyContent, type ReplyOptions, type ReplyReceipt, replyIdOf } from '../../client/reply.ts';
import type { ArrivalEnd } from '../../inbound-http/inbound-agent.ts';
import type { Clock } from '../../time/clock.ts';
import { GAVE_UP_TEXT } from '../handling/rules.ts';
import type { InboundState, MessageEnd } from '../inbound-state.ts';
import type { StoredAnswer } from '../stores/message-progress.ts';
import type { Arrival } from './arrival.ts';
import { endOfAnswer, endOfNotice, endOfOutcome, questionsIn } from './arrival-results.ts';
import type { Exchanges } from './exchanges.ts';
import { RunningArrivals } from './running-arrivals.ts';

export interface ArrivalsOptions {
  readonly client: Pick<
    PlatformClient,
    'workspaceId' | 'capabilities' | 'reply' | 'observeReply' | 'askQuestions'
  >;
  readonly clock: Clock;
  readonly exchanges: Exchanges;
  readonly state: Pick<InboundState, 'arrivals' | 'save'>;
  /** Handles a new message, as soon as it is stored. */
  readonly onMessage: (message: InboundMessage, arrival: Arrival, isStored: Promise<boolean>) => void;
}

/**
 * The messages that requests brought, while they are handled. The answer is the response of the request as long as that
 * waits, and afterwards a reply.
 */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #running = new RunningArrivals();

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** Those in progress. */
  get running(): Pick<RunningArrivals, 'of'> {
    return this.#running;
  }

  /** Handles a message, if it is stored. */
  start(arrival: Arrival, isStored: Promise<boolean> = Promise.resolve(true)): void {
    this.#running.add(arrival);
    this.#options.onMessage(arrival.message, arrival, isStored);
  }

  /** The message could not be stored. */
  forget(row: string): void {
    this.#running.delete(row);
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
    this.#running.delete(id);
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
