import type { Clock } from '../../time/clock.ts';
import { AttemptText, type AttemptTextOptions } from './attempt-text.ts';
import { Changes } from './changes.ts';
import type { ReaderWait } from './reader-waits.ts';

/** How far the handler may be ahead of its fastest reader, in UTF-16 units. */
const MAX_LEAD = 64 * 1024;
/** How long a failure waits for readers of the text before it, in milliseconds. */
const MAX_DRAIN_MS = 2_000;

/**
 * The text of the answer to one message while its handler makes it, for any number of readers. Each attempt begins it anew; once
 * some of it has left, no later attempt shows its own.
 */
export class AnswerStream {
  readonly #readers = new Set<AnswerReader>();
  readonly #grown = new Changes();
  readonly #taken = new Changes();
  readonly #wait: ReaderWait | null;
  readonly #onBehind: () => void;
  #text: AttemptText | null = null;
  /** Length of the text when {@link #onBehind} was called last. */
  #reportedLength = 0;

  /**
   * @param options `wait`: without it the handler waits for no reader. `onBehind`: called for each 64 Ki characters by which the text
   * grows while nobody waits for readers that are far behind.
   */
  constructor({
    wait = null,
    onBehind = () => {},
  }: { readonly wait?: ReaderWait | null; readonly onBehind?: () => void } = {}) {
    this.#wait = wait;
    this.#onBehind = onBehind;
  }

  /** Begins the text of an attempt. */
  begin(options: Pick<AttemptTextOptions, 'isShown' | 'onFirst'>): AttemptText {
    this.#text?.discard();
    const text = new AttemptText({
      ...options,
      onChange: () => this.#grown.happened(),
      whenTaken: () => this.#whenTaken(text),
    });
    this.#text = text;
    this.#reportedLength = 0;
    return text;
  }

  /**
   * A reader, which begins with the first character. Call `leave` in the end.
   * @param options `outlivesInterruption`: it waits for the next attempt; `confirms`: what it took counts as sent once it calls
   * `confirm`, not before. @default false
   */
  read({ outlivesInterruption = false, confirms = false } = {}): AnswerReader {
    const reader = new AnswerReader({
      outlivesInterruption,
      confirms,
      current: () => this.#text,
      changed: () => this.#grown.next(),
      wake: () => this.#grown.happened(),
      onTaken: () => {
        this.#taken.happened();
        this.#wait?.happened();
      },
      onLeave: () => this.#readers.delete(reader),
    });
    this.#readers.add(reader);
    return reader;
  }

  /** Ends the text of an attempt that failed. Resolves when its readers got what there is, after two seconds, or at an abort. */
  async drain(text: AttemptText, clock: Clock, signal: AbortSignal): Promise<void> {
    text.close();
    const over = Promise.withResolvers<'over'>();
    const stop = (): void => over.resolve('over');
    const timer = clock.setTimer(MAX_DRAIN_MS, stop);
    signal.addEventListener('abort', stop, { once: true });
    while (text.isShown && [...this.#readers].some((reader) => reader.isBehind(text))) {
      if ((await Promise.race([this.#taken.next(), over.promise])) === 'over') break;
    }
    timer.cancel();
    signal.removeEventListener('abort', stop);
  }

  /** The message is handled again later: its readers leave, so that their callers ask again. */
  interrupt(): void {
    for (const reader of [...this.#readers]) reader.interrupted();
  }

  #whenTaken(text: AttemptText): Promise<void> | null {
    if (this.#leadOver(text) <= MAX_LEAD) return null;
    const taken = this.#wait?.next() ?? null;
    if (taken === null && text.length - this.#reportedLength > MAX_LEAD) {
      this.#reportedLength = text.length;
      this.#onBehind();
    }
    return taken;
  }

  #leadOver(text: AttemptText): number {
    const leads = [...this.#readers]
      .filter((reader) => reader.holdsBack)
      .map((reader) => text.length - reader.placeIn(text));
    return leads.length === 0 ? 0 : Math.min(...leads);
  }
}

interface AnswerReaderOptions {
  readonly outlivesInterruption: boolean;
  readonly confirms: boolean;
  readonly current: () => AttemptText | null;
  readonly changed: () => Promise<void>;
  readonly wake: () => void;
  readonly onTaken: () => void;
  readonly onLeave: () => void;
}

/** Reads the text of an answer from a place of its own. */
export class AnswerReader {
  readonly #options: AnswerReaderOptions;
  #text: AttemptText | null = null;
  #place = 0;
  /** How much of it counts as sent. */
  #sent = 0;
  #hasLeft = false;
  #holdsBack = true;

  constructor(options: AnswerReaderOptions) {
    this.#options = options;
  }

  /** Whether the handler waits for this reader when it is far ahead. */
  get holdsBack(): boolean {
    return this.#holdsBack;
  }

  set holdsBack(holdsBack: boolean) {
    this.#holdsBack = holdsBack;
    this.#options.onTaken();
  }

  /** Whether it has left, itself or because the message was interrupted. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** How much was taken, in UTF-16 units. */
  get place(): number {
    return this.#place;
  }

  /** How much of the text is shown, in UTF-16 units. */
  get length(): number {
    const text = this.#followed();
    return text?.isShown === true ? text.length : this.#place;
  }

  /** Whether there is something to take. */
  get hasMore(): boolean {
    return (this.#followed()?.slice(this.#place, 2) ?? '') !== '';
  }

  /** Whether the handler has returned, and everything was taken that is shown. */
  get isComplete(): boolean {
    const text = this.#followed();
    return text?.isComplete === true && (!text.isShown || this.#place >= text.length);
  }

  /** Whether the attempt of which it took something has ended without an answer. */
  get isCutOff(): boolean {
    return this.#place > 0 && this.#text?.isShown === false;
  }

  /** The next piece, at most `maxLength` UTF-16 units; `''` when there is none yet. One call at a time. */
  async take(maxLength: number): Promise<string> {
    const text = this.#followed();
    const piece = text?.slice(this.#place, maxLength) ?? '';
    if (text === null || piece === '') return '';
    await text.leave();
    // It may have been discarded meanwhile.
    if (this.#hasLeft || !text.isShown) return '';
    this.#place += piece.length;
    if (!this.#options.confirms) this.confirm();
    this.#options.onTaken();
    return piece;
  }

  /** What was taken has arrived. */
  confirm(): void {
    this.#sent = this.#place;
    this.mayHaveArrived();
    this.#options.onTaken();
  }

  /** Whether what was taken has arrived is not known. */
  mayHaveArrived(): void {
    this.#text?.left();
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
    return this.#options.changed();
  }

  /** Makes `changed` resolve. */
  wake(): void {
    this.#options.wake();
  }

  /** Takes the text again from an earlier place, in UTF-16 units. */
  goBack(place: number): void {
    this.#place = Math.min(place, this.#place);
    this.#sent = Math.min(place, this.#sent);
  }

  placeIn(text: AttemptText): number {
    return this.#text === text ? this.#place : 0;
  }

  interrupted(): void {
    if (!this.#options.outlivesInterruption) this.leave();
  }

  /** Idempotent. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#options.onLeave();
    this.#options.onTaken();
    this.#options.wake();
  }

  /** What was taken of one attempt is not continued by another one. */
  #followed(): AttemptText | null {
    if (this.#place === 0) this.#text = this.#options.current();
    return this.#text;
  }
}
