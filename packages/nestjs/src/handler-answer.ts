import { type HandlerAnswer, type HandlerContext, MessageFailure, MoleculeError } from '@molecule-ai/core';
import { HttpException, HttpStatus } from '@nestjs/common';
import { isObservable, Observable, type Subscription, takeWhile } from 'rxjs';
import { ABORTED, AbortWait } from './abort-wait.ts';

/** Longest sentence of an exception that reaches the sender, in characters. */
const MAX_SENTENCE_LENGTH = 500;
/** More than an answer may have, in characters: what comes after is not read. Core refuses the answer. */
const MAX_READ = 10 * 1024 * 1024;
/** For how many characters a value counts that is not a text, such as an iterable of them. */
const OBJECT_LENGTH = 1024;

/**
 * Makes an answer of what a method, its interceptors or a filter gave. Texts of an `Observable` and an `AsyncIterable` are streamed as they come,
 * and the call rejects with their error. An `Observable` that has one value and ends is that value, because interceptors make one of each
 * return value. When the signal aborts, it ends without an answer, and unsubscribes.
 */
export async function toAnswer(value: unknown, context: HandlerContext): Promise<HandlerAnswer> {
  if (isObservable(value)) return new ObservedAnswer(context).read(value);
  return isAsyncIterable(value) ? streamed(value, context) : (value as HandlerAnswer);
}

/** Not left to core: an error in the middle has to reach the filters. */
async function streamed(source: AsyncIterable<unknown>, context: HandlerContext): Promise<undefined> {
  const { signal } = context;
  const iterator = source[Symbol.asyncIterator]();
  const wait = new AbortWait(signal);
  let isOver = false;
  try {
    while (!signal.aborted) {
      const next = await wait.for(iterator.next());
      if (next === ABORTED) return;
      isOver = next.done === true;
      if (isOver) return;
      await context.stream(next.value as string);
    }
  } catch (error) {
    // What `context.stream` throws after an abort says nothing.
    if (!signal.aborted) throw error;
  } finally {
    wait.end();
    if (!isOver) close(iterator);
  }
}

/** Reads one `Observable`. */
class ObservedAnswer {
  readonly #context: HandlerContext;
  /** Those that were not streamed yet begin at `#next`. */
  #values: unknown[] = [];
  #next = 0;
  #length = 0;
  #isComplete = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  constructor(context: HandlerContext) {
    this.#context = context;
  }

  async read(source: Observable<unknown>): Promise<HandlerAnswer> {
    const { signal } = this.#context;
    const wait = new AbortWait(signal);
    const subscription = this.#subscribe(source);
    try {
      await wait.for(this.#changed());
      // A value that is all there is ends in the same turn.
      if (!this.#isOver) await wait.for(nextTurn());
      if (this.#isComplete && this.#values.length <= 1) return await this.#last(this.#values[0]);
      while (!signal.aborted) {
        while (this.#values.length > 0 && !signal.aborted) {
          const value = this.#take();
          if (isContent(value)) return await this.#ended(value, wait);
          if (isAsyncIterable(value)) await streamed(value, this.#context);
          else if (value !== undefined && value !== null && value !== '')
            await this.#context.stream(value as string);
        }
        if (this.#failure !== undefined) throw this.#failure.error;
        if (this.#isComplete && this.#length > MAX_READ) throw tooManyValues();
        if (this.#isComplete) return undefined;
        await wait.for(this.#changed());
      }
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    } finally {
      wait.end();
      subscription.unsubscribe();
    }
  }

  get #isOver(): boolean {
    return this.#isComplete || this.#failure !== undefined;
  }

  #subscribe(source: Observable<unknown>): Subscription {
    // That of another library may have `subscribe` only.
    const own =
      (source as unknown) instanceof Observable
        ? source
        : new Observable((subscriber) => source.subscribe(subscriber));
    return own.pipe(takeWhile(() => this.#length <= MAX_READ)).subscribe({
      next: (value) => {
        this.#values.push(value);
        this.#length += lengthOf(value);
        this.#wake();
      },
      error: (error: unknown) => {
        this.#failure = { error };
        this.#wake();
      },
      complete: () => {
        this.#isComplete = true;
        this.#wake();
      },
    });
  }

  #take(): unknown {
    const value = this.#values[this.#next];
    this.#next += 1;
    if (this.#next === this.#values.length) {
      this.#values = [];
      this.#next = 0;
    }
    return value;
  }

  #changed(): Promise<void> {
    if (this.#values.length > 0 || this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The only value, given back as if the method had returned it. */
  #last(value: unknown): Promise<HandlerAnswer> {
    return toAnswer(value, this.#context);
  }

  /** Content with parts or questions is the end of the answer. */
  async #ended(content: HandlerAnswer, wait: AbortWait): Promise<HandlerAnswer> {
    while (!this.#isOver && this.#values.length === 0 && !this.#context.signal.aborted) {
      await wait.for(this.#changed());
    }
    if (this.#values.length > 0) throw afterContent();
    if (this.#failure !== undefined) throw this.#failure.error;
    return content;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Does not wait: a generator in the middle of something closes when that is over. */
function close(iterator: AsyncIterator<unknown>): void {
  Promise.resolve()
    .then(() => iterator.return?.())
    .catch(() => {});
}

function isContent(value: unknown): value is Exclude<HandlerAnswer, void> {
  return typeof value === 'object' && value !== null && !isAsyncIterable(value);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Each counts, so that what an Observable gives without a text is bounded too. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Math.max(value.length, 1);
  return typeof value === 'object' && value !== null ? OBJECT_LENGTH : 1;
}

function tooManyValues(): MoleculeError {
  return new MoleculeError('The Observable gave too many values for an answer.', {
    code: 'invalid_answer',
    hint: `All of its values together have at most ${MAX_READ} characters; one that is not a text counts as ${OBJECT_LENGTH}.`,
  });
}

function afterContent(): MoleculeError {
  return new MoleculeError('The Observable gave a value after the content of the answer.', {
    code: 'invalid_answer',
    hint: 'Content with a text, parts or questions is the last value; texts come before it.',
  });
}

/**
 * The error with which a message ends. An `HttpException` of 4xx, and an `RpcException` or `WsException`, become a {@link MessageFailure}: they were
 * written for the caller, and another attempt would end in the same way. All others are given back, and core tries again.
 */
export function toFailure(error: unknown): unknown {
  const sentence = sentenceOf(error);
  return sentence === null ? error : new MessageFailure(sentence.text, { code: sentence.code, cause: error });
}

function sentenceOf(error: unknown): { readonly text: string; readonly code: string | undefined } | null {
  if (!(error instanceof Error)) return null;
  if (isHttpException(error)) {
    const status = error.getStatus();
    // Also one that is not a number: an application passes on the status of a backend that has not responded.
    if (!(status >= 400 && status <= 499)) return null;
    return { text: oneSentence(error.getResponse(), error.message), code: HttpStatus[status]?.toLowerCase() };
  }
  if (!hasMethod(error, 'getError') || !isForCaller(error)) return null;
  return { text: oneSentence(error.getError(), error.message), code: undefined };
}

/**
 * An exception of `@nestjs/microservices` or `@nestjs/websockets`, which an application need not have, or of a class that extends it; not an error of
 * a call to a peer.
 */
function isForCaller(error: Error): boolean {
  const names: string[] = [];
  for (let type = Object.getPrototypeOf(error); type !== null; type = Object.getPrototypeOf(type)) {
    names.push(String(type.constructor?.name));
  }
  return !names.includes('MoleculeRpcException') && names.some((name) => /^(Rpc|Ws)Exception$/.test(name));
}

/** Also that of another copy of Nest. */
function isHttpException(error: Error): error is HttpException {
  return error instanceof HttpException || (hasMethod(error, 'getStatus') && hasMethod(error, 'getResponse'));
}

function hasMethod<Name extends string>(value: object, name: Name): value is Record<Name, () => unknown> {
  return typeof Reflect.get(value, name) === 'function';
}

/** With what could change what a terminal shows: a `ValidationPipe` repeats names of the sender. */
const BLANKS = /[\s\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu;

/** The message of an exception, as a `ValidationPipe` writes it a list of them, in one line. */
function oneSentence(content: unknown, message: string): string {
  const given: unknown =
    typeof content === 'object' && content !== null ? Reflect.get(content, 'message') : content;
  const parts = (Array.isArray(given) ? given : [given]).filter((part) => typeof part === 'string');
  const text = (parts.length > 0 ? parts.join('; ') : message).replace(BLANKS, ' ').trim();
  const short = text.length > MAX_SENTENCE_LENGTH ? `${text.slice(0, MAX_SENTENCE_LENGTH - 1)}…` : text;
  return short === '' || /[.!?…]$/.test(short) ? short : `${short}.`;
}
