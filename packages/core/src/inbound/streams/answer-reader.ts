import type { AttemptText } from './attempt-text.ts';

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
