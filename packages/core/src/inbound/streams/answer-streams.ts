import { AnswerStream } from './answer-stream.ts';

/** The answers of the messages in progress, by the ids of their rows. */
export class AnswerStreams {
  readonly #open = new Map<string, AnswerStream>();

  /** Call `end` when the message has ended. */
  of(row: string): AnswerStream {
    const stream = this.#open.get(row) ?? new AnswerStream();
    this.#open.set(row, stream);
    return stream;
  }

  find(row: string): AnswerStream | undefined {
    return this.#open.get(row);
  }

  end(row: string): void {
    this.#open.delete(row);
  }
}
