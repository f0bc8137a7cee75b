import {
  createBoundaryStripper,
  type GrowingText,
  type JsonObject,
  StreamedAnswer,
  type TextStage,
} from '@molecule-ai/protocol';
import { StreamRestartedError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import type { ConnectionSettings } from '../settings/connection-settings.ts';
import { backoffDelayMs } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import type { LinkedAbort } from '../time/linked-abort.ts';
import type { StreamedResponse } from '../transport/http-exchange.ts';
import { EventReader, type ReadEvent, type ResponseStream } from '../transport/response-stream.ts';
import type { CallLimits } from './current-message.ts';
import type { OutgoingMessage } from './peer-calls.ts';

/** Breaks in a row, without new text in between, after which the answer is read from the next source. */
const MAX_BREAKS = 3;
const PAUSE_MS = 1_000;

/** Where an answer is read: at the server of the peer, or at the platform. */
export interface AnswerSource {
  /** Whether the message can be sent again, with the same id, to continue a stream that broke off. */
  readonly isRepeatable: boolean;
  /** Whether the texts have boundary markers. */
  readonly isWrapped: boolean;
  /** Longest answer, in characters. */
  readonly maxLength: number;
  /** Whether an answer with more values or levels than are allowed is refused. */
  readonly isStrict: boolean;
  /** Sends the message, once more after a break, in the time until a response begins. `null` when the next source has to be used. */
  open(limits: SourceLimits): Promise<OpenedAnswer | null>;
  /** The reply of which a stream consisted, or another response to the message. */
  toReply(response: JsonObject): PeerReply;
  /** The reply when an answer exceeds a limit; may throw instead. */
  refused(limit: 'too-large' | 'too-complex'): PeerReply;
  /** The error for a stream that broke off for good. */
  broken(cause: unknown): unknown;
  /** The message is read from the next source from now on. */
  leave?(): void;
  /** The caller aborted the call after the message may have reached the source. */
  cancel(): void;
}

export interface SourceLimits extends CallLimits {
  readonly signal: AbortSignal;
  /** Called when the message is written to a connection. */
  readonly onSent: () => void;
}

/** A stream, or the reply, if the answer does not come as a stream. */
export type OpenedAnswer = Pick<StreamedResponse, 'stream'> | PeerReply;

/** The response of which the reply is that the message has not ended. */
export const NOT_ENDED = { queued: true };

export interface ReadingOptions {
  readonly settings: ConnectionSettings;
  /** Its operation gets the end of the stream. */
  readonly message: OutgoingMessage;
  readonly sources: readonly AnswerSource[];
  /** Aborted by the caller, and unlinked at the end. */
  readonly link: LinkedAbort;
  /** Time limit until a response begins, in milliseconds. */
  readonly openTimeoutMs: number;
  /** Total time limit, in milliseconds; may be infinite. */
  readonly timeoutMs: number;
}

/** Reads one answer into a text, across breaks of its connections. */
export class AnswerReading {
  readonly #options: ReadingOptions;
  readonly #text: GrowingText;
  readonly #endsAt: number;
  readonly #silence: Silence;
  #openEndsAt: number;
  #source: AnswerSource | undefined;
  /** The source that may have the message. */
  #sentTo: AnswerSource | undefined;
  /** The source before, which knows the message until another one has it. */
  #left: AnswerSource | undefined;
  #hasBegun = false;

  /** @param text grows while {@link read} is iterated */
  constructor(options: ReadingOptions, text: GrowingText) {
    this.#options = options;
    this.#text = text;
    const now = options.settings.clock.monotonic();
    this.#endsAt = now + options.timeoutMs;
    this.#openEndsAt = now + options.openTimeoutMs;
    this.#silence = new Silence(options.settings.clock, this.#endsAt);
  }

  /** The reply of a message that was accepted and has not ended; `null` for any other. */
  get unfinished(): PeerReply | null {
    return this.#hasBegun && this.#source !== undefined ? this.#source.toReply(NOT_ENDED) : null;
  }

  /** Cancels the message if it was sent. */
  cancel(): void {
    if (this.#sentTo === this.#source) this.#source?.cancel();
  }

  /** Yields whenever the text has grown. */
  async *read(): AsyncGenerator<void, PeerReply, undefined> {
    const { sources } = this.#options;
    for (const [index, source] of sources.entries()) {
      this.#source = source;
      const reply = yield* this.#readFrom(source, index === sources.length - 1);
      if (reply !== null) return reply;
      this.#left = source;
    }
    throw new Error('The last source of an answer has no next one.');
  }

  async *#readFrom(source: AnswerSource, isLast: boolean): AsyncGenerator<void, PeerReply | null, undefined> {
    const { settings, message, link } = this.#options;
    const { clock, random, logger } = settings;
    const { signal } = link;
    this.#silence.begin();
    let breaks = 0;
    for (;;) {
      const opened = await this.#open(source);
      if (opened === null) return null;
      const before = this.#text.length;
      const result =
        'stream' in opened ? yield* this.#readStream(source, opened.stream) : yield* this.#takeWhole(opened);
      if (!('cause' in result)) {
        if (result.status !== 'queued' || !source.isRepeatable || this.#silence.isOver) return result;
        await clock.sleep(PAUSE_MS, { signal });
        continue;
      }
      breaks = this.#text.length > before ? 1 : breaks + 1;
      if (!source.isRepeatable || (isLast && breaks > MAX_BREAKS)) throw source.broken(result.cause);
      if (breaks > MAX_BREAKS) return null;
      const { messageId } = message;
      logger.debug({ messageId, breaks, error: result.cause }, 'The stream of an answer broke off.');
      await clock.sleep(backoffDelayMs(breaks, random), { signal });
    }
  }

  async #open(source: AnswerSource): Promise<OpenedAnswer | null> {
    const { signal } = this.#options.link;
    let opened: OpenedAnswer | null;
    try {
      const onSent = () => {
        this.#sentTo = source;
      };
      opened = await source.open({ signal, timeoutMs: this.#openTimeoutMs(), onSent });
    } catch (error) {
      // The message was accepted, whatever the last attempt to read on says of itself.
      const isOutage = MoleculeError.isInstance(error) && OUTAGES.has(error.code);
      throw this.#hasBegun && isOutage ? source.broken(error) : error;
    }
    if (opened === null) return null;
    this.#hasBegun = true;
    this.#openEndsAt = Number.POSITIVE_INFINITY;
    this.#left?.leave?.();
    this.#left = undefined;
    return opened;
  }

  async *#readStream(
    source: AnswerSource,
    stream: ResponseStream,
  ): AsyncGenerator<void, PeerReply | Break, undefined> {
    const collected = new StreamedAnswer(source.maxLength);
    const answer = new AnswerText(this.#text, this.#options.message, source.isWrapped);
    this.#silence.beginConnection();
    try {
      const events = await EventReader.open(stream, source);
      for (;;) {
        const event = await this.#silence.during(stream, this.#nextOf(events));
        if (event.kind === 'break') return this.#silence.hasClosed ? source.toReply(NOT_ENDED) : event;
        if (event.kind !== 'event') return source.refused(event.kind);
        const step = collected.add(event.data);
        if (step.kind === 'too-large') return source.refused('too-large');
        if (step.kind === 'restarted') answer.restart();
        const hasGrown = step.kind === 'ended' ? answer.end() : answer.add(step.text);
        if (collected.response !== undefined) stream.release();
        if (hasGrown) {
          yield;
          this.#silence.begin();
        }
        if (collected.response !== undefined) {
          return yield* this.#takeWhole(source.toReply(collected.response), answer);
        }
      }
    } finally {
      stream.close();
    }
  }

  async #nextOf(events: EventReader): Promise<Break | Exclude<ReadEvent, { kind: 'end' }>> {
    const { signal } = this.#options.link;
    try {
      const event = await events.next();
      signal.throwIfAborted();
      return event.kind === 'end' ? { kind: 'break', cause: undefined } : event;
    } catch (cause) {
      if (signal.aborted) throw cause;
      return { kind: 'break', cause };
    }
  }

  /** The text of an answer that came whole continues what was read before. */
  async *#takeWhole(reply: PeerReply, answer?: AnswerText): AsyncGenerator<void, PeerReply, undefined> {
    const whole = answer ?? new AnswerText(this.#text, this.#options.message, false);
    if (reply.status === 'answered' && whole.complete(reply.text)) yield;
    return reply;
  }

  /** Until the message is accepted, all sources share one time limit, as in a call that is not streamed. */
  #openTimeoutMs(): number {
    const now = this.#options.settings.clock.monotonic();
    const openEndsAt = Math.min(this.#openEndsAt, now + this.#options.openTimeoutMs);
    return Math.max(1, Math.min(openEndsAt, this.#endsAt) - now);
  }
}

const OUTAGES: ReadonlySet<string> = new Set(['connection_failed', 'timed_out', 'platform_unavailable']);

/** The connection ended before the stream did. */
interface Break {
  readonly kind: 'break';
  readonly cause: unknown;
}

/**
 * The text of one stream, added to what was read of the answer before: an answer that is read again begins with it.
 * All methods return whether the text has grown, and throw a {@link StreamRestartedError} where it would have to change.
 */
class AnswerText {
  readonly #text: GrowingText;
  readonly #message: OutgoingMessage;
  readonly #isWrapped: boolean;
  #stripper: TextStage | undefined;
  /** How much of the text this stream has repeated. */
  #length = 0;

  constructor(text: GrowingText, message: OutgoingMessage, isWrapped: boolean) {
    this.#text = text;
    this.#message = message;
    this.#isWrapped = isWrapped;
    this.restart();
  }

  /** The text of the stream begins anew. */
  restart(): void {
    this.#length = 0;
    this.#stripper = this.#isWrapped ? createBoundaryStripper() : undefined;
  }

  add(piece: string): boolean {
    return this.#take(this.#stripper === undefined ? piece : this.#stripper.push(piece));
  }

  /** The stream has no more text. */
  end(): boolean {
    const rest = this.#stripper?.end() ?? '';
    this.#stripper = undefined;
    return this.#take(rest);
  }

  /** @param whole the answer, as it is in the reply */
  complete(whole: string): boolean {
    this.#length = 0;
    const hasGrown = this.#take(whole);
    if (this.#length < this.#text.length) throw this.#restarted();
    return hasGrown;
  }

  #take(piece: string): boolean {
    const repeated = this.#text.slice(this.#length, piece.length);
    if (!piece.startsWith(repeated)) throw this.#restarted();
    this.#length += piece.length;
    this.#text.append(piece.slice(repeated.length));
    return piece.length > repeated.length;
  }

  #restarted(): StreamRestartedError {
    return new StreamRestartedError(this.#message.messageId, this.#message.answerKey);
  }
}

/** Without new text for so long, the reply is `queued`, unless the caller gave a time limit. */
const SILENCE_MS = 300_000;
/** What each connection has: the one before it may have been dead for long, and a new one begins with the text so far. */
const CONNECTION_MS = 30_000;

/** How long the text of an answer has not grown while its reader waited. Comments and empty events do not end a silence. */
class Silence {
  readonly #clock: Clock;
  /** The time limit of the caller, which is the only one then. */
  readonly #limitAt: number | null;
  #endsAt = 0;
  #connectionEndsAt = 0;
  /** Whether it has closed the connection. */
  hasClosed = false;

  /** @param limitAt Monotonic time; infinite for no limit of the caller. */
  constructor(clock: Clock, limitAt: number) {
    this.#clock = clock;
    this.#limitAt = limitAt === Number.POSITIVE_INFINITY ? null : limitAt;
  }

  get isOver(): boolean {
    return (this.#limitAt ?? this.#endsAt) <= this.#clock.monotonic();
  }

  /** Begins anew: there was text, or the reader has come back. */
  begin(): void {
    this.#endsAt = this.#clock.monotonic() + SILENCE_MS;
  }

  beginConnection(): void {
    this.hasClosed = false;
    this.#connectionEndsAt = this.#clock.monotonic() + CONNECTION_MS;
  }

  /** Waits for something of the stream, and closes it when the silence is over before. */
  async during<T>(stream: ResponseStream, reading: Promise<T>): Promise<T> {
    if (this.#limitAt !== null) return await reading;
    const leftMs = Math.max(this.#endsAt, this.#connectionEndsAt) - this.#clock.monotonic();
    const timer = this.#clock.setTimer(Math.max(0, leftMs), () => {
      this.hasClosed = true;
      stream.close();
    });
    try {
      return await reading;
    } finally {
      timer.cancel();
    }
  }
}
