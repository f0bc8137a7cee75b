/** Length, in UTF-16 units, from which the text that was appended is one string in memory. */
const CHUNK_LENGTH = 16_384;

/**
 * A text that grows at its end while others read it, each from a place of its own. A reader that is slow costs no memory: the
 * text is stored once. Lengths and places are in UTF-16 units.
 */
export class GrowingText {
  /** Chunks that no longer change, and where each of them begins. */
  readonly #chunks: string[] = [];
  readonly #starts: number[] = [];
  #tail = '';
  #tailStart = 0;
  #isEnded = false;
  #wakeReaders: () => void = () => {};
  #changed: Promise<void> | undefined;

  get length(): number {
    return this.#tailStart + this.#tail.length;
  }

  /** Whether nothing more is appended. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** @throws Error after {@link end}. */
  append(text: string): void {
    if (this.#isEnded) throw new Error('The text has ended.');
    if (text === '') return;
    this.#tail += text;
    if (this.#tail.length >= CHUNK_LENGTH) {
      this.#chunks.push(inOnePiece(this.#tail));
      this.#starts.push(this.#tailStart);
      this.#tailStart += this.#tail.length;
      this.#tail = '';
    }
    this.#wake();
  }

  /** Nothing more is appended. Idempotent. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** The text from `from` on, at most `maxLength` units of it. A pair of surrogates may be cut. */
  slice(from: number, maxLength: number): string {
    const to = Math.min(this.length, from + maxLength);
    let text = '';
    for (let index = this.#chunkAt(from); index < this.#chunks.length; index += 1) {
      const start = this.#starts[index] ?? 0;
      if (start >= to) return text;
      text += (this.#chunks[index] ?? '').slice(Math.max(0, from - start), to - start);
    }
    return text + this.#tail.slice(Math.max(0, from - this.#tailStart), Math.max(0, to - this.#tailStart));
  }

  toString(): string {
    return this.slice(0, this.length);
  }

  /** Resolves when the text is longer than now or has ended; at once when it has ended. */
  changed(): Promise<void> {
    if (this.#isEnded) return Promise.resolve();
    this.#changed ??= new Promise((resolve) => {
      this.#wakeReaders = resolve;
    });
    return this.#changed;
  }

  #wake(): void {
    this.#changed = undefined;
    this.#wakeReaders();
  }

  /** The chunk with this place; the number of chunks when it is in the tail. */
  #chunkAt(place: number): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const end = this.#starts[middle + 1] ?? this.#tailStart;
      if (end <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A text that was made of many is a tree of them in memory until somebody reads a character. */
function inOnePiece(text: string): string {
  text.charCodeAt(0);
  return text;
}
