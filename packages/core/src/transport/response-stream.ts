import { DataLines, exceededJsonLimit, type JsonValue } from '@molecule-ai/protocol';
import type { EventSourceParser } from 'eventsource-parser';
import type { Bytes } from '../settings/node-types.ts';
import type { Clock, Timer } from '../time/clock.ts';

/** Bytes that are kept for a reader who is slower than the sender; then nothing more is received. */
const MAX_WAITING_BYTES = 64 * 1024;
/** How long a sender may take to end a response of which nothing more is needed. */
const END_MS = 1_000;

interface StreamOptions {
  readonly connection: { pause(): void; resume(): void };
  readonly clock: Clock;
  /** Longest time without a byte, in milliseconds. It does not pass while nothing is received because nobody reads. */
  readonly idleTimeoutMs: number;
  /** Ends the exchange, which then calls {@link ResponseStream.fail}. */
  readonly onIdle: () => void;
  readonly onClose: () => void;
}

/** The body of a response, read by one reader as it arrives. What is not read stays with the sender. */
export class ResponseStream {
  readonly #options: StreamOptions;
  #waiting: Bytes[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #isReleased = false;
  #lastAt: number;
  #timer: Timer;
  #end: { readonly error: unknown } | 'complete' | undefined;
  #wake: () => void = () => {};

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#lastAt = options.clock.monotonic();
    this.#timer = this.#watchSilence(options.idleTimeoutMs);
  }

  /** Returns the next bytes, `null` at the end of the body. Rejects when the connection broke. */
  async read(): Promise<Bytes | null> {
    for (;;) {
      const chunk = this.#waiting.shift();
      if (chunk !== undefined) {
        this.#waitingBytes -= chunk.length;
        if (this.#waitingBytes === 0) this.#resume();
        return chunk;
      }
      if (this.#end === 'complete') return null;
      if (this.#end !== undefined) throw this.#end.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Nothing more is read. The connection can be used again if the sender ends the response soon. */
  release(): void {
    if (this.#end !== undefined || this.#isReleased) return;
    this.#isReleased = true;
    this.#waiting = [];
    this.#timer.cancel();
    this.#timer = this.#options.clock.setTimer(END_MS, this.#options.onClose);
    this.#resume();
  }

  /** Closes the connection, unless the body has ended or {@link release} was called. */
  close(): void {
    if (this.#end === undefined && !this.#isReleased) this.#options.onClose();
  }

  /** For the exchange. */
  push(chunk: Bytes): void {
    if (this.#isReleased) return;
    this.#lastAt = this.#options.clock.monotonic();
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#options.connection.pause();
    }
    this.#wake();
  }

  /** For the exchange. */
  complete(): void {
    this.#finish('complete');
  }

  /** For the exchange. What has arrived before is read first. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  #finish(end: { readonly error: unknown } | 'complete'): void {
    this.#end ??= end;
    this.#timer.cancel();
    this.#wake();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#lastAt = this.#options.clock.monotonic();
    this.#options.connection.resume();
  }

  /** One timer for the whole stream, instead of one for each of its chunks. */
  #watchSilence(afterMs: number): Timer {
    const { clock, idleTimeoutMs, onIdle } = this.#options;
    return clock.setTimer(afterMs, () => {
      const silentMs = this.#isPaused ? 0 : clock.monotonic() - this.#lastAt;
      if (silentMs >= idleTimeoutMs) onIdle();
      else this.#timer = this.#watchSilence(idleTimeoutMs - silentMs);
    });
  }
}

/** `data` is the JSON of one event; `undefined` for another text. */
export type ReadEvent =
  | { readonly kind: 'event'; readonly data: JsonValue | undefined }
  | { readonly kind: 'end' }
  | { readonly kind: 'too-large' | 'too-complex' };

interface EventLimits {
  /** Longest event, in characters. */
  readonly maxLength: number;
  /** Whether an event with more values or levels than are allowed is refused: docs/contract/limits.md#bodies. */
  readonly isStrict: boolean;
}

/** Reads the server-sent events of a response. */
export class EventReader {
  readonly #stream: ResponseStream;
  readonly #limits: EventLimits;
  readonly #parser: EventSourceParser;
  readonly #decoder = new TextDecoder();
  readonly #lines = new DataLines();
  readonly #texts: string[] = [];
  #isTooLarge = false;

  private constructor(
    stream: ResponseStream,
    limits: EventLimits,
    { createParser }: typeof import('eventsource-parser'),
  ) {
    this.#stream = stream;
    this.#limits = limits;
    this.#parser = createParser({
      maxBufferSize: limits.maxLength,
      onEvent: ({ data }) => void this.#texts.push(data),
      onError: ({ type }) => {
        if (type === 'max-buffer-size-exceeded') this.#isTooLarge = true;
      },
    });
  }

  /** Loads the parser with the first stream. */
  static async open(stream: ResponseStream, limits: EventLimits): Promise<EventReader> {
    return new EventReader(stream, limits, await import('eventsource-parser'));
  }

  /** Rejects when the connection broke. */
  async next(): Promise<ReadEvent> {
    for (;;) {
      const text = this.#texts.shift();
      if (text !== undefined) return this.#read(text);
      if (this.#isTooLarge) return { kind: 'too-large' };
      const chunk = await this.#stream.read();
      if (chunk === null) return { kind: 'end' };
      this.#parser.feed(this.#lines.push(this.#decoder.decode(chunk, { stream: true })));
    }
  }

  #read(text: string): ReadEvent {
    if (text.length > this.#limits.maxLength) return { kind: 'too-large' };
    if (this.#limits.isStrict && exceededJsonLimit(text) !== undefined) return { kind: 'too-complex' };
    try {
      return { kind: 'event', data: JSON.parse(text) as JsonValue };
    } catch {
      return { kind: 'event', data: undefined };
    }
  }
}
