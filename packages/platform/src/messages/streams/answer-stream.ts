import { GrowingText } from '@molecule-ai/protocol';
import type { AnswerAccount, AnswerMemory } from '../answer-memory.ts';
import { Place, type ReadableText, type TextReader } from './text-reader.ts';
import { Attempt, type TextSource, type WritableText } from './text-source.ts';

/** A reader that is further behind, in UTF-16 units, holds back the agent, unless another one is not. */
const MAX_LAG = 256 * 1024;

/** What a stream tells its registry. */
export interface StreamHooks {
  /** Nobody reads or makes it now, and it has no text. */
  emptied(): void;
}

/** The text of one answer while it is made, kept once for all who read it. */
export class AnswerStream implements ReadableText, WritableText {
  readonly #memory: AnswerMemory;
  readonly #hooks: StreamHooks;
  readonly #readers = new Set<Place>();
  readonly #sources = new Set<Attempt>();
  readonly #moved = new Signal();
  readonly #ending = new AbortController();
  #account: AnswerAccount | undefined;
  #text = new GrowingText();
  /** Of the text. */
  #bytes = 0;
  #version = 0;
  /** Whether the text of the attempt that runs now was dropped: its readers get the whole. */
  #isDropped = false;

  constructor(memory: AnswerMemory, hooks: StreamHooks) {
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

  get #isIdle(): boolean {
    return this.#readers.size === 0 && this.#sources.size === 0;
  }

  append(text: string): void {
    if (this.isEnded || this.#isDropped || text === '') return;
    this.#text.append(text);
    const bytes = Buffer.byteLength(text);
    this.#bytes += bytes;
    this.#account?.add(bytes);
    this.#offer();
    this.#wakeReaders();
  }

  /** Another text takes the place of the one so far. */
  restart(text: string): void {
    if (this.isEnded || this.#isDropped) return;
    this.#forgetText();
    this.append(text);
    this.#wakeReaders();
  }

  /** The message has ended: the text does not change any more. Idempotent. */
  end(): void {
    if (this.isEnded) return;
    this.#ending.abort();
    if (this.#readers.size === 0) this.#forgetText();
    this.#moved.happen();
    this.#wakeReaders();
  }

  read(): TextReader {
    const reader = new Place(this, () => {
      this.#readers.delete(reader);
      this.#moved.happen();
      if (this.isEnded && this.#readers.size === 0) this.#forgetText();
      this.#offer();
      this.#left();
    });
    this.#readers.add(reader);
    this.#offer();
    return reader;
  }

  /** The answer is one of this workspace, whose part of the memory it uses. */
  belongTo(workspaceId: string): AnswerAccount {
    this.#account ??= this.#memory.open(workspaceId);
    return this.#account;
  }

  /** An attempt of the agent of this workspace begins. */
  attempt(workspaceId: string): TextSource {
    const account = this.belongTo(workspaceId);
    const source = new Attempt(this, this.#ending.signal, account, () => {
      this.#sources.delete(source);
      if (!this.hasSource) this.#isDropped = false;
      this.#left();
    });
    this.#sources.add(source);
    this.#isDropped = false;
    return source;
  }

  get isHeldBack(): boolean {
    if (this.isEnded || this.#readers.size === 0) return false;
    for (const reader of this.#readers) if (!reader.isBlocked && reader.lag <= MAX_LAG) return false;
    return true;
  }

  nextMove(): Promise<void> {
    return this.#moved.next();
  }

  /** A reader has taken something, or its client takes more again. */
  moved(): void {
    this.#moved.happen();
  }

  #wakeReaders(): void {
    for (const reader of this.#readers) reader.wake();
  }

  /** Whoever wants a text later that nobody reads now can get the whole, or it is reported again. */
  #offer(): void {
    const isUnread = this.#readers.size === 0 && this.length > 0;
    this.#account?.offer(isUnread ? () => this.#drop() : undefined);
  }

  #drop(): void {
    this.#isDropped = this.hasSource;
    this.#forgetText();
    this.#left();
  }

  #left(): void {
    if (this.#isIdle && this.length === 0) this.#hooks.emptied();
  }

  #forgetText(): void {
    const bytes = this.#bytes;
    this.#bytes = 0;
    this.#text = new GrowingText();
    this.#version += 1;
    this.#account?.offer(undefined);
    this.#account?.add(-bytes);
  }
}

/** Lets several wait for something that happens more than once. */
class Signal {
  #promise: Promise<void> | undefined;
  #resolve: () => void = () => {};

  /** Resolves when it happens the next time. */
  next(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#promise;
  }

  happen(): void {
    this.#promise = undefined;
    this.#resolve();
  }
}
