import type { JsonObject } from '@molecule-ai/protocol';

/** A comment, or the data of an event. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into it
export type SentEvent = any;

/** Reads the server-sent events of a response, one by one. */
export class EventStream {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #received = '';

  constructor(response: Response) {
    if (response.body === null) throw new Error('The response has no body.');
    this.#reader = response.body.getReader();
  }

  /** The `result` or `error` of the next event, a comment as `: …`; `null` at the end. */
  async next(): Promise<SentEvent> {
    for (;;) {
      const end = this.#received.indexOf('\n\n');
      if (end !== -1) {
        const event = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        if (!event.startsWith('data: ')) return event;
        const body = JSON.parse(event.slice('data: '.length)) as JsonObject;
        return body.result ?? body.error;
      }
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#received += this.#decoder.decode(value, { stream: true });
    }
  }

  /** All events to the end. */
  async rest(): Promise<SentEvent[]> {
    const events: SentEvent[] = [];
    for (let event = await this.next(); event !== null; event = await this.next()) events.push(event);
    return events;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** The texts of artifact updates, joined; one that is not appended begins anew. */
export function textIn(events: readonly SentEvent[]): string {
  let text = '';
  for (const { kind, append, artifact } of events.filter((event) => typeof event === 'object')) {
    if (kind !== 'artifact-update') continue;
    if (append === false) text = '';
    for (const part of artifact.parts) text += part.text ?? '';
  }
  return text;
}
