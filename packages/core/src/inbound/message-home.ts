import type { JsonObject, Question } from '@molecule-ai/protocol';
import { type ReplyContent, type ReplyOptions, type ReplyReceipt, replyIdOf } from '../client/reply.ts';
import type { MessageEnd } from '../inbound-http/inbound-agent.ts';
import type { AckSender } from './ack-sender.ts';
import type { InboundOptions } from './inbound-options.ts';
import type { Ledger, OpenMessage } from './ledger.ts';
import type { StoredDeadLetter } from './ledger-lines.ts';
import { type Change, endOf, outcomeOf, withChange } from './life.ts';
import type { AnswerStream, AnswerStreams } from './streams/answer-stream.ts';
import type { ProgressReporter, ProgressReports } from './streams/progress-reports.ts';

/** What all messages of an agent share. */
export interface InboundParts extends Pick<InboundOptions, 'client' | 'clock' | 'atMostOnce'> {
  readonly ledger: Ledger;
  readonly acks: AckSender;
  readonly streams: AnswerStreams;
  readonly reports: ProgressReports;
}

/**
 * A message of the agent: its record in the ledger, and where its answer goes. That is the response of the request that brought it as long
 * as that waits, and else a reply through the platform.
 */
export class MessageHome {
  /** The message is finished before it is handled: nothing brings it back. */
  readonly isAtMostOnce: boolean;
  /** Whether it is a dead letter that is handled again. */
  readonly isReplay: boolean = false;
  /** Its answer, while the handler makes it. */
  readonly stream: AnswerStream;
  readonly #record: OpenMessage;
  readonly #parts: InboundParts;
  readonly #isBrought: boolean;
  readonly #reporter: ProgressReporter | null;

  constructor(record: OpenMessage, parts: InboundParts) {
    this.#record = record;
    this.#parts = parts;
    this.isAtMostOnce = parts.atMostOnce;
    this.#isBrought = record.via !== 'feed';
    this.stream = parts.streams.of(record);
    this.#reporter = this.#isBrought ? null : parts.reports.start(record.message, this.stream);
  }

  /** Whether a request waits for the end. */
  isWaited(): boolean {
    return this.#record.waiting.isOpen;
  }

  /** Applies a change to the record; resolves when it survives a crash, or cannot. */
  change(change: Change): unknown {
    const record = this.#record;
    // At most once, nothing brings the message back. An answer is stored when it leaves.
    if (this.isAtMostOnce || (this.#isBrought && change.answer !== undefined)) {
      record.progress = withChange(record.progress, change);
      return undefined;
    }
    return this.#parts.ledger.change(record, change);
  }

  /**
   * Applies the change that begins an attempt. The handler may run after it, with `isAtMostOnce` when the message cannot be delivered again; not if it is
   * false: the request that brought the message is refused, because the message cannot be stored.
   */
  async begin(change: Change, signal: AbortSignal): Promise<boolean> {
    const { ledger, acks } = this.#parts;
    const changed = this.change(change);
    const stored = ledger.stored(this.#record);
    // A message of a request is stored with its first attempt.
    if (stored === true) await changed;
    else if (!(await stored)) return false;
    if (this.isAtMostOnce && !signal.aborted)
      await acks.acknowledgeFirst(this.#record, signal).catch(() => {});
    return true;
  }

  /** Call before the answer is sent: resolves when those who read it as a stream have its text, or do not get it in time. */
  flush(): Promise<void> | undefined {
    return this.#reporter?.flush();
  }

  /** The agent ends before the message: no request waits for it any more. */
  withdraw(): void {
    this.#record.waiting.withdraw();
  }

  /** The answer waits until its recipient has room for it. False when too many wait. */
  answerWaits(): boolean {
    return this.#parts.ledger.answerWaits(this.#record);
  }

  /** Sends an answer. The end of a message that a request brought is kept for its repeats first. */
  async send(content: string | ReplyContent, options: ReplyOptions): Promise<ReplyReceipt> {
    const { client, ledger } = this.#parts;
    const { message, via, waiting } = this.#record;
    const { id } = message;
    const isBrought = this.#isBrought;
    const isFirst = options.idempotencyKey === undefined;
    const isWaited = isFirst && waiting.isOpen;
    if (!isFirst || !(isBrought || isWaited)) return client.reply(message, content, options);
    const answer = typeof content === 'string' ? { text: content } : content;
    const messageId = replyIdOf(client.workspaceId, id);
    const end = this.#endOf(answer, messageId, options);
    const questions = questionsIn(answer.metadata);
    if (via === 'direct' && questions.length > 0) await this.#ask(questions, options.signal);
    const isUnknown = isBrought && message.source === 'unknown';
    if (isBrought && (isUnknown || (isWaited && !ledger.isOnFeed(this.#record)))) {
      // Nobody but the caller itself can be given an answer to a caller without a name.
      waiting.keep();
      await ledger.keepEnd(this.#record, end);
      waiting.complete(end);
      return { status: 'sent', via: 'response', messageId };
    }
    // What leaves must be what a later run sends.
    if (isBrought) await ledger.change(this.#record, { answer: this.#record.progress.answer });
    const receipt = await client.reply(message, content, options);
    if (receipt.status === 'ignored') return receipt;
    if (isBrought) void ledger.keepEnd(this.#record, end);
    waiting.complete(end);
    return receipt;
  }

  /** Finishes the message; the request that waits gets the end when it is stored. `isReported`: nothing is left to report to the platform. */
  end(end: MessageEnd, isReported: boolean): void {
    const { ledger } = this.#parts;
    const { via, waiting } = this.#record;
    const isWaited = waiting.keep();
    this.#reporter?.stop();
    // An answer is kept when it is sent.
    if (this.#isBrought && !isReported) void ledger.keepEnd(this.#record, end);
    const isKnown = this.#isBrought && (via !== 'push' || isWaited);
    const stored = ledger.finish(this.#record, isReported ? null : outcomeOf(end), isKnown);
    if (!isWaited) return;
    const known: MessageEnd = isReported ? { ...end, state: 'expired' } : end;
    void stored.then(() => waiting.complete(known));
  }

  /** Keeps the message as a dead letter, and finishes it. */
  async giveUp(end: MessageEnd, letter: StoredDeadLetter, _error: unknown): Promise<void> {
    this.#record.waiting.keep();
    await this.#parts.ledger.addDeadLetter(letter);
    this.end(end, false);
  }

  #endOf({ text, parts, metadata }: ReplyContent, messageId: string, { end }: ReplyOptions): MessageEnd {
    const now = this.#parts.clock.now();
    if (end !== undefined) {
      const error = { message: text, code: end.code ?? 'handler_failed' };
      return endOf(end.state, now, end.state === 'failed' ? error : null);
    }
    const answer = { messageId, text, ...(parts && { parts }), ...(metadata && { metadata }) };
    const state = questionsIn(metadata).length > 0 ? 'input_required' : 'answered';
    return { ...endOf(state, now), answer };
  }

  /** The platform keeps the questions of a direct message, which it does not know. */
  async #ask(questions: Question[], signal: AbortSignal | undefined): Promise<void> {
    const { client, ledger } = this.#parts;
    const { messageId, sourceId, contextId } = this.#record.message;
    if (!client.capabilities.has('questions')) return;
    await ledger.change(this.#record, { answer: this.#record.progress.answer });
    await client.askQuestions({ questions, messageId, sourceId, contextId }, { signal });
  }
}

function questionsIn(metadata: JsonObject | undefined): Question[] {
  return Array.isArray(metadata?.questions) ? (metadata.questions as unknown as Question[]) : [];
}
