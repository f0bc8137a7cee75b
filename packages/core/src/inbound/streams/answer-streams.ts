import { AnswerStream, type ReaderWaits } from './answer-stream.ts';

/** The answers of the messages in progress, by the ids of their rows. */
export class AnswerStreams {
  readonly #open = new Map<string, AnswerStream>();
  readonly #waits: ReaderWaits;
  /** What is kept for readers, also of answers that are whole. */
  readonly kept = new KeptTexts();

  constructor({ clock, isPlaceWanted }: Pick<ReaderWaits, 'clock' | 'isPlaceWanted'>) {
    this.#waits = { clock, isPlaceWanted, onBehind: () => this.kept.trim() };
  }

  /** Call `end` when the message has ended. */
  of(row: string): AnswerStream {
    const stream = this.#open.get(row) ?? new AnswerStream(this.#waits);
    this.#open.set(row, stream);
    return stream;
  }

  find(row: string): AnswerStream | undefined {
    return this.#open.get(row);
  }

  end(row: string): void {
    this.#open.delete(row);
  }

  /** Call it when a message begins to wait for a place: no handler waits for readers until it has one. */
  placeWanted(): void {
    for (const stream of this.#open.values()) stream.goOn();
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
export class KeptTexts {
  readonly #texts = new Set<KeptText>();

  /** Call {@link delete} when the reader has left. */
  add(text: KeptText): void {
    this.#texts.add(text);
  }

  delete(text: KeptText): void {
    this.#texts.delete(text);
  }

  /** Call it when a text has grown, or is whole. Disconnects those who have been behind for longest, until the others fit. */
  trim(): void {
    const longest = [...this.#texts]
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
