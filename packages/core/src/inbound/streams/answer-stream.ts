import { BODY_LIMITS, GrowingText } from '@molecule-ai/protocol';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import { orAborted, withDeadline } from '../../time/linked-abort.ts';

/** How far the handler may be ahead of its fastest reader, in UTF-16 units. */
const MAX_LEAD = 64 * 1024;
/** How long the handler of one message waits for its readers, in all, so that nobody holds its place by not reading. */
const MAX_WAIT_MS = 5_000;
/** How long a failure waits for readers of the text before it, in milliseconds. */
const MAX_DRAIN_MS = 2_000;

/**
 * The text of the answer to one message while its handler makes it, for any number of readers. Each attempt begins it anew; once
 * some of it has left, no later attempt shows its own.
 */
export class AnswerStream {
  readonly #shared: AnswerStreams | null;
  readonly #readers = new Set<AnswerReader>();
  /** Changes of the text, and of what readers get of it. */
  readonly grown = new Changes();
  readonly #taken = new Changes();
  /** That of the present attempt. */
  text: AttemptText | null = null;
  /** Length of the text when the kept texts were trimmed last. */
  #trimmedLength = 0;
  #waitLeftMs = MAX_WAIT_MS;
  #waitBeganAt = 0;
  #waitTimer: Timer | undefined;

  /** @param shared without it the handler waits for no reader */
  constructor(shared: AnswerStreams | null = null) {
    this.#shared = shared;
  }

  /** Begins the text of an attempt. */
  begin(options: AttemptTextOptions): AttemptText {
    this.text?.discard();
    this.text = new AttemptText(this, options);
    this.#trimmedLength = 0;
    return this.text;
  }

  /**
   * A reader, which begins with the first character. Call `leave` in the end.
   * @param options `isReport`: it waits for the next attempt after an interruption, and what it took counts as sent once it
   * calls `confirm`, not before. @default false
   */
  read({ isReport = false } = {}): AnswerReader {
    const reader = new AnswerReader(this, isReport);
    this.#readers.add(reader);
    return reader;
  }

  /** Ends the text of an attempt that failed. Resolves when its readers got what there is, after two seconds, or at an abort. */
  async drain(text: AttemptText, clock: Clock, signal: AbortSignal): Promise<void> {
    text.close();
    const limits = { clock, timeoutMs: MAX_DRAIN_MS, what: 'Reading', signal };
    const drained = withDeadline(limits, async (inner) => {
      while (text.isShown && [...this.#readers].some((reader) => reader.isBehind(text))) {
        await orAborted(this.#taken.next(), inner);
      }
    });
    await drained.catch(() => {});
  }

  /** The message is handled again later: its readers leave, so that their callers ask again. */
  interrupt(): void {
    for (const reader of [...this.#readers]) if (!reader.isReport) reader.leave();
  }

  left(reader: AnswerReader): void {
    this.#readers.delete(reader);
    this.goOn();
    this.grown.happened();
  }

  /** What to wait for while the readers are far behind; `null` when they are not, or nobody waits for them any more. */
  whenTaken(text: AttemptText): Promise<void> | null {
    if (this.#shared === null || this.#leadOver(text) <= MAX_LEAD) return null;
    const { clock, isPlaceWanted, kept } = this.#shared;
    if (this.#waitLeftMs > 0 && !isPlaceWanted()) {
      if (this.#waitTimer === undefined) {
        this.#waitBeganAt = clock.monotonic();
        this.#waitTimer = clock.setTimer(this.#waitLeftMs, () => this.goOn());
      }
      return this.#taken.next();
    }
    if (text.length - this.#trimmedLength > MAX_LEAD) {
      this.#trimmedLength = text.length;
      kept.trim();
    }
    return null;
  }

  /** A reader has taken something, or nobody waits for readers any more: the handler goes on. */
  goOn(): void {
    this.#taken.happened();
    if (this.#shared === null || this.#waitTimer === undefined) return;
    this.#waitTimer.cancel();
    this.#waitTimer = undefined;
    this.#waitLeftMs -= this.#shared.clock.monotonic() - this.#waitBeganAt;
  }

  #leadOver(text: AttemptText): number {
    const leads = [...this.#readers]
      .filter((reader) => reader.holdsBack)
      .map((reader) => text.length - reader.placeIn(text));
    return leads.length === 0 ? 0 : Math.min(...leads);
  }
}

/** Wakes those who wait for something to change. */
class Changes {
  #next: PromiseWithResolvers<void> | undefined;

  happened(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }

  /** Resolves at the next change. */
  next(): Promise<void> {
    this.#next ??= Promise.withResolvers<void>();
    return this.#next.promise;
  }
}

/** Longest answer, in characters. */
export const MAX_ANSWER_LENGTH = 10 * 1024 * 1024;
/** Longest text that a request can carry, in bytes of JSON: the rest is for what is around it. */
const MAX_REQUEST_BYTES = BODY_LIMITS.json - 1024;
/** Most bytes of one UTF-16 unit as JSON: an escaped one. */
const MAX_BYTES_OF_UNIT = 6;

interface AttemptTextOptions {
  /** Whether readers get the text while it is made. */
  readonly isShown: boolean;
  /** Whether the answer is sent as a request, whatever happens: its text is shorter then. */
  readonly isRequest: boolean;
  /** Called before text leaves for the first time, which it does when the promise has resolved. */
  readonly onFirst: () => Promise<unknown>;
}

/** What one attempt of a handler has streamed. */
export class AttemptText {
  isShown: boolean;
  /** Whether the handler has returned. */
  isComplete = false;
  /** Whether a reader got some of it, or may have. */
  hasLeft = false;
  /** The error of an `append` that made the text too long. */
  rejection: MoleculeError | null = null;
  readonly #stream: AnswerStream;
  readonly #options: AttemptTextOptions;
  readonly #text = new GrowingText();
  readonly #turn = new EventLoopTurn();
  #leaving: Promise<unknown> | undefined;
  /** Up to this length the text is not too long for a request. */
  #countedLength = MAX_REQUEST_BYTES / MAX_BYTES_OF_UNIT;

  constructor(stream: AnswerStream, options: AttemptTextOptions) {
    this.#stream = stream;
    this.#options = options;
    this.isShown = options.isShown;
  }

  /** In UTF-16 units. */
  get length(): number {
    return this.#text.length;
  }

  /**
   * Adds to the text. Resolves when the fastest reader is close behind, or was waited for long enough; at once without readers,
   * but a handler that never waits itself gives way to everything else now and then.
   * @throws MoleculeError `agent_answer_too_large`: before any reader gets what cannot be sent in the end; `invalid_argument` when the handler has returned. An abort rejects with the
   * signal's reason.
   */
  async append(delta: string, signal: AbortSignal): Promise<void> {
    try {
      this.#add(delta, signal);
    } finally {
      // Also a loop that ignores errors gives way.
      await this.#turn.whenLong();
    }
    while (delta !== '' && this.isShown) {
      const taken = this.#stream.whenTaken(this);
      if (taken === null) return;
      await orAborted(taken, signal);
    }
  }

  #add(delta: string, signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#text.isEnded) throw handlerReturned();
    const rejection = this.#rejectionOf(delta);
    if (rejection !== null) {
      this.rejection = rejection;
      throw rejection;
    }
    if (delta === '') return;
    this.#text.append(delta);
    this.#stream.grown.happened();
  }

  #rejectionOf(delta: string): MoleculeError | null {
    const length = this.length + delta.length;
    if (length > MAX_ANSWER_LENGTH) return answerTooLarge();
    if (!this.#options.isRequest || length <= this.#countedLength) return null;
    const bytes =
      length > MAX_REQUEST_BYTES ? length : Buffer.byteLength(JSON.stringify(this.toString() + delta));
    if (bytes > MAX_REQUEST_BYTES) return tooLargeForRequest();
    this.#countedLength = length + (MAX_REQUEST_BYTES - bytes) / MAX_BYTES_OF_UNIT;
    return null;
  }

  /** Readers do not get what they have not taken yet. */
  hide(): void {
    this.isShown = false;
    this.#stream.grown.happened();
  }

  /** Nothing is added any more; readers still get what there is. */
  close(): void {
    this.#text.end();
    this.#stream.grown.happened();
  }

  /** The attempt has failed. */
  discard(): void {
    this.#text.end();
    this.hide();
  }

  /** The handler has returned. */
  complete(): void {
    this.isComplete = true;
    this.close();
  }

  /** Call before a piece is given away, and wait. */
  async leave(): Promise<void> {
    this.#leaving ??= this.#options.onFirst();
    await this.#leaving;
  }

  /** A piece for a reader; `''` when it is not shown. */
  slice(from: number, maxLength: number): string {
    if (!this.isShown) return '';
    const piece = this.#text.slice(from, maxLength);
    return withoutHalfPair(piece, this.#text.isEnded && from + piece.length === this.length);
  }

  /** The whole. */
  toString(): string {
    return this.#text.toString();
  }
}

/** Rounds of a loop, and how long they may hold the event loop together. */
const MAX_ROUNDS = 64;
const MAX_TURN_MS = 5;

/** Whether a loop of promises that are always resolved keeps timers, sockets and everything else from running. */
class EventLoopTurn {
  #rounds = 0;
  #beganAt = 0;
  #next: Promise<void> | undefined;

  /** Call it in each round. A promise for the next turn of the event loop when this one takes long, else `null`. */
  whenLong(): Promise<void> | null {
    this.#rounds += 1;
    if (this.#rounds === 1) this.#begin();
    const isLong = this.#rounds > MAX_ROUNDS && performance.now() - this.#beganAt >= MAX_TURN_MS;
    if (!isLong) return null;
    this.#next ??= new Promise((resolve) => {
      setImmediate(resolve);
    });
    return this.#next;
  }

  #begin(): void {
    this.#beganAt = performance.now();
    setImmediate(() => {
      this.#rounds = 0;
      this.#next = undefined;
    });
  }
}

/** A piece of a text, without half of a surrogate pair at its end unless it is the last one. */
export function withoutHalfPair(piece: string, isLast: boolean): string {
  return isLast ? piece : piece.replace(/[\ud800-\udbff]$/, '');
}

export function answerTooLarge(): MoleculeError {
  return new MoleculeError(`The answer is longer than ${MAX_ANSWER_LENGTH} characters.`, {
    code: 'agent_answer_too_large',
    hint: 'Store long results elsewhere and answer with a reference.',
  });
}

function tooLargeForRequest(): MoleculeError {
  return new MoleculeError('The answer of an agent that polls is a request, which has at most 1 MiB.', {
    code: 'agent_answer_too_large',
    hint: 'Give the agent a URL that the platform reaches, for 10 MiB; or store long results elsewhere and answer with a reference.',
  });
}

function handlerReturned(): MoleculeError {
  return new MoleculeError('The handler has returned: nothing can be added to its answer.', {
    code: 'invalid_argument',
    hint: 'Await context.stream() before the handler returns.',
  });
}

/** Reads the text of an answer from a place of its own. */
export class AnswerReader {
  readonly #stream: AnswerStream;
  /** Whether it waits for the next attempt after an interruption, and confirms what it took. */
  readonly isReport: boolean;
  /** Whether it has left, itself or because the message was interrupted. */
  hasLeft = false;
  /** How much was taken, in UTF-16 units. */
  place = 0;
  #text: AttemptText | null = null;
  /** How much of it counts as sent. */
  #sent = 0;
  #holdsBack = true;

  constructor(stream: AnswerStream, isReport: boolean) {
    this.#stream = stream;
    this.isReport = isReport;
  }

  /** Whether the handler waits for this reader when it is far ahead. */
  get holdsBack(): boolean {
    return this.#holdsBack;
  }

  set holdsBack(holdsBack: boolean) {
    this.#holdsBack = holdsBack;
    this.#stream.goOn();
  }

  /** How much of the text is shown, in UTF-16 units. */
  get length(): number {
    const text = this.#followed();
    return text?.isShown === true ? text.length : this.place;
  }

  /** Whether there is something to take. */
  get hasMore(): boolean {
    return (this.#followed()?.slice(this.place, 2) ?? '') !== '';
  }

  /** Whether the handler has returned, and everything was taken that is shown. */
  get isComplete(): boolean {
    const text = this.#followed();
    return text?.isComplete === true && (!text.isShown || this.place >= text.length);
  }

  /** Whether the attempt of which it took something has ended without an answer. */
  get isCutOff(): boolean {
    return this.place > 0 && this.#text?.isShown === false;
  }

  /** The next piece, at most `maxLength` UTF-16 units; `''` when there is none yet. One call at a time. */
  async take(maxLength: number): Promise<string> {
    const text = this.#followed();
    const piece = text?.slice(this.place, maxLength) ?? '';
    if (text === null || piece === '') return '';
    await text.leave();
    // It may have been discarded meanwhile.
    if (this.hasLeft || !text.isShown) return '';
    this.place += piece.length;
    if (this.isReport) this.#stream.goOn();
    else this.confirm();
    return piece;
  }

  /** What was taken has arrived. */
  confirm(): void {
    this.#sent = this.place;
    this.mayHaveArrived();
    this.#stream.goOn();
  }

  /** Whether what was taken has arrived is not known. */
  mayHaveArrived(): void {
    if (this.#text !== null) this.#text.hasLeft = true;
  }

  /** Whether it waits for more of a text, or for the confirmation of what it took. */
  isBehind(text: AttemptText): boolean {
    if (!this.#holdsBack) return false;
    return this.#followed() === text && this.#sent < text.length;
  }

  /**
   * Resolves when there may be more to take, or the reader has left; never if nothing more happens. Ask for it before `take`, and wait
   * for it after a `''`.
   */
  changed(): Promise<void> {
    return this.#stream.grown.next();
  }

  /** Makes `changed` resolve. */
  wake(): void {
    this.#stream.grown.happened();
  }

  /** Takes the text again from an earlier place, in UTF-16 units. */
  goBack(place: number): void {
    this.place = Math.min(place, this.place);
    this.#sent = Math.min(place, this.#sent);
  }

  placeIn(text: AttemptText): number {
    return this.#text === text ? this.place : 0;
  }

  /** Idempotent. */
  leave(): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.#stream.left(this);
  }

  /** What was taken of one attempt is not continued by another one. */
  #followed(): AttemptText | null {
    if (this.place === 0) this.#text = this.#stream.text;
    return this.#text;
  }
}

/** What the answers of an agent share. */
export class AnswerStreams {
  readonly clock: Clock;
  /** Whether a message waits until a handler has ended: then no handler waits for readers. */
  readonly isPlaceWanted: () => boolean;
  /** What is kept for readers, also of answers that are whole. */
  readonly kept = new KeptTexts();

  constructor(clock: Clock, isPlaceWanted: () => boolean) {
    this.clock = clock;
    this.isPlaceWanted = isPlaceWanted;
  }

  /** The answer of a message in progress. */
  of(record: { stream?: AnswerStream }): AnswerStream {
    record.stream ??= new AnswerStream(this);
    return record.stream;
  }
}

/** Text that is kept for readers who are far behind, in UTF-16 units: of all of them, and of those of one sender. */
const MAX_KEPT = 128 * 1024 * 1024;
const MAX_KEPT_OF_SENDER = MAX_KEPT / 4;

/** The text that is kept for one reader. */
export interface KeptText {
  /** Whose message it answers. */
  readonly sender: string;
  /** In UTF-16 units; 0 while the reader is not far behind. */
  readonly length: number;
  /** Monotonic time at which the reader had everything. */
  readonly caughtUpAt: number;
  disconnect(): void;
}

/** Bounds what readers can make an agent keep by reading slowly. */
export class KeptTexts extends Set<KeptText> {
  /** Call it when a text has grown, or is whole. Disconnects those who have been behind for longest, until the others fit. */
  trim(): void {
    const longest = [...this]
      .map((text) => ({ text, length: text.length }))
      .filter(({ length }) => length > 0)
      .sort((one, other) => other.text.caughtUpAt - one.text.caughtUpAt);
    const ofSenders = new Map<string, number>();
    let ofAll = 0;
    for (const { text, length } of longest) {
      const ofSender = (ofSenders.get(text.sender) ?? 0) + length;
      if (ofSender > MAX_KEPT_OF_SENDER || ofAll + length > MAX_KEPT) {
        text.disconnect();
        continue;
      }
      ofSenders.set(text.sender, ofSender);
      ofAll += length;
    }
  }
}
