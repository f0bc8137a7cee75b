import { GrowingText } from '@molecule-ai/protocol';
import { Signal, type TextMemory, type TextOwner } from './text-memory.ts';
import { Place, type ReadableText, type TextReader } from './text-reader.ts';
import { Attempt, type TextSource, type WritableText } from './text-source.ts';

/** A reader that is further behind, in UTF-16 units, holds back the agent, unless another one is not. */
const MAX_LAG = 256 * 1024;

/** What a stream tells its registry. */
export interface StreamHooks {
  grew(): void;
  /** Nobody reads or writes it now. */
  left(): void;
}

/** The text of one answer while it is made, kept once for all who read it. */
export class AnswerStream implements TextOwner, ReadableText, WritableText {
  readonly #memory: TextMemory;
  readonly #hooks: StreamHooks;
  readonly #readers = new Set<Place>();
  readonly #sources = new Set<Attempt>();
  readonly #moved = new Signal();
  readonly #ending = new AbortController();
  #text = new GrowingText();
  #version = 0;

  constructor(memory: TextMemory, hooks: StreamHooks) {
    this.#memory = memory;
    this.#hooks = hooks;
  }

  /** The text so far. */
  get text(): GrowingText {
    return this.#text;
  }

  get length(): number {
    return this.#text.length;
  }

  /** Counts the texts: one that is not continued by the next is replaced by it. */
  get version(): number {
    return this.#version;
  }

  get isEnded(): boolean {
    return this.#ending.signal.aborted;
  }

  get hasSource(): boolean {
    return this.#sources.size > 0;
  }

  /** Whether nobody reads or makes it now. */
  get isIdle(): boolean {
    return this.#readers.size === 0 && this.#sources.size === 0;
  }

  append(text: string): void {
    if (this.isEnded || text === '') return;
    this.#text.append(text);
    this.#memory.add(text.length);
    this.#hooks.grew();
    this.#wakeReaders();
  }

  /** Another text takes the place of the one so far. */
  restart(text: string): void {
    if (this.isEnded) return;
    this.#memory.free(this.length);
    this.#text = new GrowingText();
    this.#version += 1;
    this.append(text);
    this.#wakeReaders();
  }

  /** The message has ended: the text does not change any more. Idempotent. */
  end(): void {
    if (this.isEnded) return;
    this.#ending.abort();
    this.#memory.finish(this);
    if (this.#readers.size === 0) this.#free();
    this.#moved.happen();
    this.#wakeReaders();
  }

  read(): TextReader {
    const reader = new Place(this, () => {
      this.#readers.delete(reader);
      this.#moved.happen();
      if (this.isEnded && this.#readers.size === 0) this.#free();
      if (this.isIdle) this.#hooks.left();
    });
    this.#readers.add(reader);
    return reader;
  }

  /** An attempt of the agent begins. */
  attempt(): TextSource {
    const source = new Attempt(this, this.#ending.signal, () => {
      this.#sources.delete(source);
      if (this.isIdle) this.#hooks.left();
    });
    this.#sources.add(source);
    return source;
  }

  async ready(): Promise<void> {
    while (!this.isEnded) {
      if (this.#isHeldBack()) await this.#moved.next();
      else if (this.#memory.mayGrow(this)) return;
      else await this.#memory.freed();
    }
  }

  /** A reader has taken something, or its client takes more again. */
  moved(): void {
    this.#moved.happen();
  }

  #isHeldBack(): boolean {
    if (this.#readers.size === 0) return false;
    for (const reader of this.#readers) if (!reader.isBlocked && reader.lag <= MAX_LAG) return false;
    return true;
  }

  #wakeReaders(): void {
    for (const reader of this.#readers) reader.wake();
  }

  #free(): void {
    this.#memory.free(this.length);
    this.#text = new GrowingText();
  }
}
