import { DataLines, exceededJsonLimit, type JsonValue } from '@molecule-ai/protocol';
import type { EventSourceParser } from 'eventsource-parser';
import type { ResponseStream } from './response-stream.ts';

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
