import { AttemptText, type AttemptTextOptions } from './attempt-text.ts';
import { Changes } from './changes.ts';

/** How far the handler may be ahead of its fastest reader, in UTF-16 units. */
const MAX_LEAD = 64 * 1024;

/**
 * The text of the answer to one message while its handler makes it, for any number of readers. Each attempt begins it anew; once
 * some of it has left, no later attempt shows its own.
 */
export class AnswerStream {
  readonly #readers = new Set<AnswerReader>();
  readonly #grown = new Changes();
  readonly #taken = new Changes();
  #text: AttemptText | null = null;

  /** Begins the text of an attempt. */
  begin(options: Pick<AttemptTextOptions, 'isShown' | 'onFirst'>): AttemptText {
    this.#text?.discard();
    const text = new AttemptText({
      ...options,
      onChange: () => this.#grown.happened(),
      whenTaken: () => (this.#leadOver(text) > MAX_LEAD ? this.#taken.next() : null),
    });
    this.#text = text;
    return text;
  }

  /**
   * A reader, which begins with the first character. Call `leave` in the end.
   * @param options `outlivesInterruption`: it waits for the next attempt. @default false
   */
  read({ outlivesInterruption = false } = {}): AnswerReader {
    const reader = new AnswerReader({
      outlivesInterruption,
      current: () => this.#text,
      changed: () => this.#grown.next(),
      wake: () => this.#grown.happened(),
      onTaken: () => this.#taken.happened(),
      onLeave: () => this.#readers.delete(reader),
    });
    this.#readers.add(reader);
    return reader;
  }

  /** The message is handled again later: its readers leave, so that their callers ask again. */
  interrupt(): void {
    for (const reader of [...this.#readers]) reader.interrupted();
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
    this.#options.onTaken();
    return piece;
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
