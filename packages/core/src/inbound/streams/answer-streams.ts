import { LazyMap } from '../../collections/lazy-map.ts';
import { AnswerStream } from './answer-stream.ts';
import { KeptTexts } from './kept-texts.ts';
import { ReaderWaits, type ReaderWaitsOptions } from './reader-waits.ts';

/** The answers of the messages in progress, by the ids of their rows. */
export class AnswerStreams {
  readonly #open = new LazyMap<string, AnswerStream>();
  readonly #waits: ReaderWaits;
  /** What is kept for readers, also of answers that are whole. */
  readonly kept = new KeptTexts();

  constructor(options: ReaderWaitsOptions) {
    this.#waits = new ReaderWaits(options);
  }

  /** Call `end` when the message has ended. */
  of(row: string): AnswerStream {
    const known = this.#open.get(row);
    if (known !== undefined) return known;
    const stream = new AnswerStream({ wait: this.#waits.begin(), onBehind: () => this.kept.trim() });
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
    this.#waits.placeWanted();
  }
}
