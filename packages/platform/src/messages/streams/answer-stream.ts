import { GrowingText } from '@molecule-ai/protocol';
import { Signal, type TextMemory, type TextOwner } from './text-memory.ts';

/** A reader that is further behind, in UTF-16 units, holds back the agent, unless another one is not. */
const MAX_LAG = 256 * 1024;

/** What a stream tells its registry. */
export interface StreamHooks {
  grew(): void;
  /** Nobody reads or writes it now. */
  left(): void;
}

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

/** One attempt of an agent to make the answer. */
export interface TextSource {
  /** Aborted when the message has ended: nobody wants more of the text. */
  readonly ended: AbortSignal;
  /** Whether this attempt has made some. */
  readonly hasText: boolean;
  /** More of the text. What an earlier attempt made before counts once. */
  add(text: string): void;
  /** The text of this attempt is this one from its beginning. */
  restart(text: string): void;
  /** Resolves when the agent may make more: a reader keeps up with it, or nobody reads, and there is memory. */
  ready(): Promise<void>;
  /** Idempotent. */
  close(): void;
}

/** The text of one answer while it is made, kept once for all who read it. */
export class AnswerStream implements TextOwner {
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

class Place implements TextReader {
  readonly #stream: AnswerStream;
  wake: () => void = () => {};
  readonly #leave: () => void;
  #version: number;
  #position = 0;
  #isBlocked = false;
  #hasLeft = false;

  constructor(stream: AnswerStream, leave: () => void) {
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

  get lag(): number {
    const { length, version } = this.#stream;
    return version === this.#version ? length - this.#position : length;
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

class Attempt implements TextSource {
  readonly #stream: AnswerStream;
  readonly ended: AbortSignal;
  readonly #close: () => void;
  /** UTF-16 units that this attempt has made. */
  #made = 0;

  constructor(stream: AnswerStream, ended: AbortSignal, close: () => void) {
    this.#stream = stream;
    this.ended = ended;
    this.#close = close;
  }

  get hasText(): boolean {
    return this.#made > 0;
  }

  add(text: string): void {
    const { text: known } = this.#stream;
    const repeated = known.slice(this.#made, text.length);
    if (text.startsWith(repeated)) this.#stream.append(text.slice(repeated.length));
    else this.#stream.restart(known.slice(0, this.#made) + text);
    this.#made += text.length;
  }

  restart(text: string): void {
    this.#made = 0;
    this.add(text);
  }

  ready(): Promise<void> {
    return this.#stream.ready();
  }

  close(): void {
    this.#close();
  }
}
