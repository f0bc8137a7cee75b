import { AnswerMemory } from '../answer-memory.ts';
import { AnswerStream } from './answer-stream.ts';

/**
 * The texts of the answers that are made now, by row id of their message, in memory: a stream is read beside the message, whose
 * state and answer do not depend on it. See docs/contract/streams.md#limits.
 */
export class AnswerStreams {
  readonly #streams = new Map<string, AnswerStream>();
  readonly #memory: AnswerMemory;

  constructor(memory = new AnswerMemory()) {
    this.#memory = memory;
  }

  /** How many there are. */
  get size(): number {
    return this.#streams.size;
  }

  find(id: string): AnswerStream | undefined {
    return this.#streams.get(id);
  }

  /** The stream of a message, a new one if there is none. Read or make its text at once: one that is empty is removed. */
  open(id: string): AnswerStream {
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const stream: AnswerStream = new AnswerStream(this.#memory, {
      emptied: () => {
        if (this.#streams.get(id) === stream) this.end(id);
      },
    });
    this.#streams.set(id, stream);
    return stream;
  }

  /** The message has an outcome: its answer is read from there. */
  end(id: string): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.end();
  }
}
