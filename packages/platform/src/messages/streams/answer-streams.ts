import { AnswerStream } from './answer-stream.ts';
import { TextMemory } from './text-memory.ts';

/** So many streams are looked at, the longest unchanged first, for one that can be removed. */
const MAX_TRIED = 100;

/**
 * The texts of the answers that are made now, by row id of their message, in memory: a stream is read beside the message, whose
 * state and answer do not depend on it. See docs/contract/streams.md#limits.
 */
export class AnswerStreams {
  /** The one that changed last is the last one. */
  readonly #streams = new Map<string, AnswerStream>();
  readonly #memory: TextMemory;

  constructor(memory = new TextMemory()) {
    this.#memory = memory;
  }

  /** How many there are. */
  get size(): number {
    return this.#streams.size;
  }

  /** Whether there is no memory for more, even without the texts that nobody reads or makes. */
  get isFull(): boolean {
    if (this.#memory.isFull) this.#removeIdle();
    return this.#memory.isFull;
  }

  find(id: string): AnswerStream | undefined {
    return this.#streams.get(id);
  }

  /** The stream of a message, a new one if there is none. Read or make its text at once: one that is idle may be removed. */
  open(id: string): AnswerStream {
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const stream: AnswerStream = new AnswerStream(this.#memory, {
      grew: () => {
        if (this.#streams.delete(id)) this.#streams.set(id, stream);
        if (this.#memory.isFull) this.#removeIdle();
      },
      left: () => {
        if (stream.length === 0 && this.#streams.get(id) === stream) this.#streams.delete(id);
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

  /** Removes texts that nobody reads or makes; who wants one later reads the answer, and a polling agent reports it again. */
  #removeIdle(): void {
    let tried = 0;
    for (const [id, stream] of this.#streams) {
      if (!this.#memory.isFull || tried === MAX_TRIED) return;
      tried += 1;
      if (stream.isIdle) this.end(id);
    }
  }
}
