import type { GrowingText } from '@molecule-ai/protocol';

/** A piece of the text. `isAnew`: the text that the reader has taken so far was another one. */
export interface TextPiece {
  readonly text: string;
  readonly isAnew: boolean;
}

/** The place of one reader in the text. */
export interface TextReader {
  /** UTF-16 units of the text that it has taken. */
  readonly position: number;
  /** Called when there may be more to take. */
  wake: () => void;
  /** Whether its client takes nothing at the moment. */
  isBlocked: boolean;
  /** At most `maxLength` more units. Never ends between the halves of a surrogate pair. */
  take(maxLength: number): TextPiece;
  /** The text that it has taken. */
  taken(): string;
  /** Idempotent. */
  leave(): void;
}

/** What a reader sees of a text. */
export interface ReadableText {
  readonly text: GrowingText;
  /** Counts the texts: one that is not continued by the next is replaced by it. */
  readonly version: number;
  readonly isEnded: boolean;
  /** A reader has taken something, or its client takes more again. */
  moved(): void;
}

/** The place itself; an answer stream makes it. */
export class Place implements TextReader {
  readonly #stream: ReadableText;
  wake: () => void = () => {};
  readonly #leave: () => void;
  #version: number;
  #position = 0;
  #isBlocked = false;
  #hasLeft = false;

  constructor(stream: ReadableText, leave: () => void) {
    this.#stream = stream;
    this.#leave = leave;
    this.#version = stream.version;
  }

  get position(): number {
    return this.#position;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  set isBlocked(isBlocked: boolean) {
    this.#isBlocked = isBlocked;
    if (!isBlocked) this.#stream.moved();
  }

  /** UTF-16 units that it has not taken. */
  get lag(): number {
    const { text, version } = this.#stream;
    return version === this.#version ? text.length - this.#position : text.length;
  }

  take(maxLength: number): TextPiece {
    const { text, version, isEnded } = this.#stream;
    const isAnew = version !== this.#version;
    if (isAnew) {
      this.#version = version;
      this.#position = 0;
    }
    let piece = text.slice(this.#position, maxLength);
    const isCut = isHighSurrogate(piece.charCodeAt(piece.length - 1));
    if (isCut && (!isEnded || this.#position + piece.length < text.length)) piece = piece.slice(0, -1);
    this.#position += piece.length;
    if (piece !== '') this.#stream.moved();
    return { text: piece, isAnew };
  }

  taken(): string {
    return this.#stream.text.slice(0, this.#position);
  }

  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#leave();
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
