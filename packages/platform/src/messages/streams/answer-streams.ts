import { GrowingText } from '@molecule-ai/protocol';
import type { Clock } from '../../time/clock.ts';
import { type AnswerAccount, AnswerMemory, type AnswerShare } from './answer-memory.ts';

/** A reader that is further behind, in UTF-16 units, holds back the agent, unless another one is not. */
const MAX_LAG = 256 * 1024;

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

  find(id: string): AnswerStream | undefined {
    return this.#streams.get(id);
  }

  /** The stream of a message, a new one if there is none. Read or make its text at once: one that is empty is removed. */
  open(id: string): AnswerStream {
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const onEmpty = () => {
      if (this.#streams.get(id) === stream) this.end(id);
    };
    const stream: AnswerStream = new AnswerStream(this.#memory, onEmpty);
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

/** The text of one answer while it is made, kept once for all who read it. */
export class AnswerStream {
  readonly #memory: AnswerMemory;
  readonly #onEmpty: () => void;
  readonly #readers = new Set<TextReader>();
  readonly #sources = new Set<TextSource>();
  /** Called when a reader has taken something or has left, or takes more again, and at the end. */
  readonly #watchers = new Set<() => void>();
  readonly #ending = new AbortController();
  #account: AnswerAccount | undefined;
  #text = new GrowingText();
  /** Of the text. */
  #bytes = 0;
  #version = 0;
  /** Whether the text of the attempt that runs now was dropped: its readers get the whole. */
  #isDropped = false;

  constructor(memory: AnswerMemory, onEmpty: () => void) {
    this.#memory = memory;
    this.#onEmpty = onEmpty;
  }

  /** The text so far. */
  get text(): GrowingText {
    return this.#text;
  }

  /** Counts the texts: one that is not continued by the next is replaced by it. */
  get version(): number {
    return this.#version;
  }

  /** Aborted when the message has ended: the text does not change any more, and nobody wants more of it. */
  get ended(): AbortSignal {
    return this.#ending.signal;
  }

  get hasSource(): boolean {
    return this.#sources.size > 0;
  }

  append(text: string): void {
    if (this.ended.aborted || this.#isDropped || text === '') return;
    this.#text.append(text);
    const bytes = Buffer.byteLength(text);
    this.#bytes += bytes;
    this.#account?.add(bytes);
    this.#offer();
    for (const reader of this.#readers) reader.wake();
  }

  /** Another text takes the place of the one so far. */
  restart(text: string): void {
    if (this.ended.aborted || this.#isDropped) return;
    this.#forgetText();
    this.append(text);
    for (const reader of this.#readers) reader.wake();
  }

  /** Idempotent. */
  end(): void {
    if (this.ended.aborted) return;
    this.#ending.abort();
    if (this.#readers.size === 0) this.#forgetText();
    this.moved();
    for (const reader of this.#readers) reader.wake();
  }

  read(): TextReader {
    const reader = new TextReader(this, () => {
      if (!this.#readers.delete(reader)) return;
      this.moved();
      if (this.ended.aborted && this.#readers.size === 0) this.#forgetText();
      this.#offer();
      this.#tidy();
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
    const source = new TextSource(this, this.belongTo(workspaceId), () => {
      this.#sources.delete(source);
      if (!this.hasSource) this.#isDropped = false;
      this.#tidy();
    });
    this.#sources.add(source);
    this.#isDropped = false;
    return source;
  }

  /** Whether somebody reads, and nobody keeps up with the text. */
  get isHeldBack(): boolean {
    if (this.ended.aborted || this.#readers.size === 0) return false;
    for (const reader of this.#readers) if (!reader.isBlocked && reader.lag <= MAX_LAG) return false;
    return true;
  }

  /** Waits until the text is not held back, the signal is aborted or the time is over. */
  untilRead(clock: Clock, timeLimitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#watchers.delete(check);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const check = () => (this.isHeldBack && !signal.aborted ? undefined : end());
      const cancel = clock.schedule(timeLimitMs, end);
      this.#watchers.add(check);
      signal.addEventListener('abort', end, { once: true });
      check();
    });
  }

  moved(): void {
    for (const check of this.#watchers) check();
  }

  /** Whoever wants a text later that nobody reads now can get the whole, or it is reported again. */
  #offer(): void {
    const isUnread = this.#readers.size === 0 && this.#text.length > 0;
    this.#account?.offer(isUnread ? () => this.#drop() : undefined);
  }

  #drop(): void {
    this.#isDropped = this.hasSource;
    this.#forgetText();
    this.#tidy();
  }

  #tidy(): void {
    const isIdle = this.#readers.size === 0 && this.#sources.size === 0;
    if (isIdle && this.#text.length === 0) this.#onEmpty();
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

/** One attempt of an agent to make the answer. */
export class TextSource {
  readonly stream: AnswerStream;
  readonly #account: AnswerAccount;
  /** Idempotent. */
  readonly close: () => void;
  /** UTF-16 units that this attempt has made. */
  #made = 0;

  constructor(stream: AnswerStream, account: AnswerAccount, close: () => void) {
    this.stream = stream;
    this.#account = account;
    this.close = close;
  }

  /** Whether this attempt has made some. */
  get hasText(): boolean {
    return this.#made > 0;
  }

  /** More of the text. What an earlier attempt made before counts once. */
  add(text: string): void {
    const { text: known } = this.stream;
    const repeated = known.slice(this.#made, text.length);
    if (text.startsWith(repeated)) this.stream.append(text.slice(repeated.length));
    else this.stream.restart(known.slice(0, this.#made) + text);
    this.#made += text.length;
  }

  /** The text of this attempt is this one from its beginning. */
  restart(text: string): void {
    this.#made = 0;
    this.add(text);
  }

  /** Memory for what is read of the answer, besides the text that readers take. */
  share(): AnswerShare {
    return this.#account.share();
  }
}

/** The place of one reader in the text. */
export class TextReader {
  readonly #stream: AnswerStream;
  /** Idempotent. */
  readonly leave: () => void;
  /** Called when there may be more to take. */
  wake: () => void = () => {};
  #version: number;
  #position = 0;
  #isBlocked = false;

  constructor(stream: AnswerStream, leave: () => void) {
    this.#stream = stream;
    this.leave = leave;
    this.#version = stream.version;
  }

  /** UTF-16 units of the text that it has taken. */
  get position(): number {
    return this.#position;
  }

  /** Whether its client takes nothing at the moment. */
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

  /**
   * At most `maxLength` more units, which never end between the halves of a surrogate pair. `isAnew`: what it has taken so far
   * was another text.
   */
  take(maxLength: number): { readonly text: string; readonly isAnew: boolean } {
    const { text, version, ended } = this.#stream;
    const isAnew = version !== this.#version;
    if (isAnew) this.#position = 0;
    this.#version = version;
    let piece = text.slice(this.#position, maxLength);
    const unit = piece.charCodeAt(piece.length - 1);
    const isCut = unit >= 0xd800 && unit <= 0xdbff;
    if (isCut && (!ended.aborted || this.#position + piece.length < text.length)) piece = piece.slice(0, -1);
    this.#position += piece.length;
    if (piece !== '') this.#stream.moved();
    return { text: piece, isAnew };
  }

  /** The text that it has taken. */
  taken(): string {
    return this.#stream.text.slice(0, this.#position);
  }
}
