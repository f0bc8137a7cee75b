import { AsyncLocalStorage } from 'node:async_hooks';
import { GrowingText } from '@molecule-ai/protocol';
import { TimeoutError } from '../errors/connection-error.ts';
import { invalidArgument } from '../errors/molecule-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { INSPECT } from '../settings/node-types.ts';
import { codeOfError } from '../telemetry/telemetry.ts';
import type { Timer } from '../time/clock.ts';
import { fencePeerText, type ModelText } from '../trust-boundary/fence.ts';
import { endCall, isRepeatedLater } from './peer-calls.ts';
import { AnswerReading, type ReadingOptions } from './stream-reading.ts';

/** Longest piece that is yielded, in UTF-16 units. */
const MAX_PIECE_LENGTH = 64 * 1024;

export interface PeerStreamOptions extends ReadingOptions {
  /** Called before the message is sent. */
  readonly prepare?: (limits: { readonly signal: AbortSignal }) => Promise<void>;
  /** Called with the reply, and when the caller stops reading an answer that has not ended. */
  readonly onReply?: (reply: PeerReply) => void;
}

/**
 * The answer to a message while it is being made: iterate it for the pieces of its text. The message is sent at once, also when
 * nobody reads. Everything that a peer wrote is untrusted: for a model use `forModel()`, which template strings and
 * `JSON.stringify` return as well.
 *
 * Leaving the loop closes the connection and cancels nothing; `waitForAnswer(messageId)` returns the answer then.
 *
 * @example
 * const stream = client.streamPeer(peerId, 'Summarise the report.');
 * for await (const piece of stream) process.stdout.write(piece);
 * const { status } = await stream.reply();
 */
export interface PeerStream extends Omit<GatheredAnswer, typeof INSPECT> {}

type StreamEnd =
  | { readonly reply: PeerReply; readonly error?: undefined }
  | { readonly error: unknown; readonly reply?: undefined };

class GatheredAnswer {
  readonly #options: PeerStreamOptions;
  readonly #text = new GrowingText();
  readonly #reading: AnswerReading;
  readonly #steps: AsyncGenerator<void, PeerReply, undefined>;
  readonly #closed = new Error('The stream was closed.');
  readonly #timedOut = new Error('The time limit of the stream has passed.');
  /** A piece may be asked for anywhere; what is read then belongs to where the stream was made. */
  readonly #inContext = AsyncLocalStorage.snapshot();
  readonly #limit: Timer | undefined;
  #step: Promise<void> | undefined;
  #end: StreamEnd | undefined;
  #isIterated = false;
  #fenced: { readonly length: number; readonly text: ModelText } | undefined;

  constructor(options: PeerStreamOptions) {
    const { link, timeoutMs, settings } = options;
    this.#options = options;
    this.#reading = new AnswerReading(options, this.#text);
    this.#steps = this.#read();
    link.signal.addEventListener('abort', () => this.#onAbort(), { once: true });
    this.#limit = Number.isFinite(timeoutMs)
      ? settings.clock.setTimer(timeoutMs, () => link.abort(this.#timedOut))
      : undefined;
    void this.#advance();
  }

  /** The workspace that the message was sent to. */
  get peerId(): string {
    return this.#options.message.targetId;
  }

  /** The id of the message that was sent: for `waitForAnswer`, and to read the answer again. */
  get messageId(): string {
    return this.#options.message.messageId;
  }

  /** The peer's text so far, without boundary markers. Untrusted: a model gets it through {@link forModel} only. */
  get text(): string {
    return this.#text.toString();
  }

  /** The text so far for a model, fenced. The same bytes each time, until there is more text. */
  forModel(): ModelText {
    const { length } = this.#text;
    if (this.#fenced?.length !== length) {
      const { text } = this;
      const reply = this.#end?.reply;
      const fenced = reply?.text === text ? reply.forModel() : fencePeerText(text, { origin: this.peerId });
      this.#fenced = { length, text: fenced };
    }
    return this.#fenced.text;
  }

  /**
   * Reads to the end and returns the reply, which is the one that `callPeer` would have returned. Its text is what was yielded.
   * @throws what the iteration throws; MoleculeError `invalid_argument` when the stream was closed before its end.
   */
  async reply(): Promise<PeerReply> {
    const { reply, error } = await this.#whole();
    if (reply !== undefined) return reply;
    if (error !== this.#closed) throw error;
    const hint = `The peer may still answer: waitForAnswer(${this.#options.message.answerKey}).`;
    throw invalidArgument('The stream was closed before its end.', hint);
  }

  /**
   * The pieces of the text, without boundary markers, untrusted; the reply is the return value. One consumer only.
   * @throws StreamRestartedError, and the errors of `callPeer`; the text so far stays in {@link text}.
   */
  [Symbol.asyncIterator](): AsyncIterator<string, PeerReply, undefined> {
    if (this.#isIterated) {
      const hint = 'Keep the pieces, or use `text`, which has all that were read.';
      throw invalidArgument('The stream of an answer can be iterated once.', hint);
    }
    this.#isIterated = true;
    let place = 0;
    const next = async (): Promise<IteratorResult<string, PeerReply>> => {
      for (;;) {
        const piece = this.#pieceFrom(place);
        const end = this.#end;
        if (end !== undefined && end.error === this.#closed) return DONE;
        if (piece !== '') {
          place += piece.length;
          return { done: false, value: piece };
        }
        if (end === undefined) await this.#advance();
        else if (end.reply === undefined) throw end.error;
        else return { done: true, value: end.reply };
      }
    };
    const close = async (): Promise<IteratorResult<string, PeerReply>> => {
      await this[Symbol.asyncDispose]();
      return DONE;
    };
    return { next, return: close };
  }

  /** Closes the connection, unless the stream has ended. Cancels nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end !== undefined) return;
    this.#options.link.abort(this.#closed);
    await this.#whole();
  }

  /** Returns {@link forModel}. */
  toString(): string {
    return this.forModel();
  }

  /** Contains the fenced text. */
  toJSON(): Record<string, unknown> {
    const { peerId, messageId } = this;
    return { peerId, messageId, text: this.forModel() };
  }

  /** Contains no text of the peer. */
  [INSPECT](): string {
    return `PeerStream { messageId: ${JSON.stringify(this.messageId)}, text: [${this.#text.length} characters] }`;
  }

  async *#read(): AsyncGenerator<void, PeerReply, undefined> {
    const { link, prepare } = this.#options;
    link.signal.throwIfAborted();
    await prepare?.(link);
    return yield* this.#reading.read();
  }

  async #whole(): Promise<StreamEnd> {
    while (this.#end === undefined) await this.#advance();
    return this.#end;
  }

  /** Reads until the text has grown or the stream has ended. Never rejects. */
  #advance(): Promise<void> {
    this.#step ??= this.#inContext(() => this.#steps.next())
      .then(({ done, value }) => {
        if (done === true) this.#finish({ reply: value });
      })
      .catch((error: unknown) => this.#finish(this.#endOf(error)))
      .finally(() => {
        this.#step = undefined;
      });
    return this.#step;
  }

  #endOf(error: unknown): StreamEnd {
    const { unfinished } = this.#reading;
    if (error !== this.#timedOut) return { error };
    if (unfinished !== null) return { reply: unfinished };
    const { message, timeoutMs } = this.#options;
    const { messageId, answerKey } = message;
    const text = `No response within ${Math.ceil(timeoutMs)} ms.`;
    const hint = `The peer may still answer: waitForAnswer(${answerKey}).`;
    return { error: new TimeoutError(text, { timeoutMs, delivered: 'unknown', messageId, hint }) };
  }

  #finish(end: StreamEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#text.end();
    this.#limit?.cancel();
    this.#options.link.unlink();
    const { message, onReply } = this.#options;
    const { operation } = message;
    const { reply } = end;
    if (reply !== undefined) {
      endCall(operation, reply);
      this.#inContext(() => onReply?.(reply));
    } else if (end.error === this.#closed) operation.end({ 'molecule.status': 'left' });
    else operation.end({ 'molecule.status': 'error' }, codeOfError(end.error));
  }

  #onAbort(): void {
    const { link, message } = this.#options;
    const { reason } = link.signal;
    if (this.#end !== undefined || reason === this.#closed || reason === this.#timedOut) return;
    if (!isRepeatedLater(reason, message)) this.#reading.cancel();
  }

  /** Half of a surrogate pair waits for the other half. */
  #pieceFrom(place: number): string {
    const piece = this.#text.slice(place, MAX_PIECE_LENGTH);
    const isLast = place + piece.length === this.#text.length && this.#text.isEnded;
    return !isLast && HIGH_SURROGATE.test(piece.slice(-1)) ? piece.slice(0, -1) : piece;
  }
}

const HIGH_SURROGATE = /[\ud800-\udbff]/;
/** A closed iterator has no reply, whatever the type of a return value says. */
const DONE = { done: true, value: undefined } as unknown as IteratorReturnResult<PeerReply>;

/** Sends the message and returns its answer as it is made. Never throws: errors come with the iteration and the reply. */
export function createPeerStream(options: PeerStreamOptions): PeerStream {
  return options.message.operation.run(() => new GatheredAnswer(options));
}
