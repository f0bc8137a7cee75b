import type { ServerResponse } from 'node:http';
import {
  createBoundaryWrapper,
  type JsonObject,
  type MessageState,
  StreamEvents,
  sseEvent,
  type TextStage,
} from '@molecule-ai/protocol';
import { SELF } from './agent-ids.ts';
import type { ScriptedResponse, SeenRequest } from './scripted-server.ts';

const AT = '2026-01-01T00:00:00.000Z';
const UNCHANGED: TextStage = { push: (piece) => piece, end: () => '' };

export const STREAMING = {
  'x-molecule-capabilities': 'stream, cancel, message-dedupe, message-status, outcomes',
};

/** Writes a stream of events to one request, as a platform does for a workspace. */
export class StreamedResponse {
  readonly #response: ServerResponse;
  readonly #events: StreamEvents;
  readonly #wrapper: TextStage;
  #isTextOpen = true;
  #byteCuts: readonly number[] = [];
  /** Resolves when the connection or the response has ended. */
  readonly closed: Promise<void>;

  constructor(request: SeenRequest, response: ServerResponse, { isWrapped = true } = {}) {
    const { message } = (request.body as { params: { message: { messageId: string; contextId?: string } } })
      .params;
    const { messageId, contextId = '' } = message;
    this.#response = response;
    this.#events = new StreamEvents({ taskId: SELF, messageId, contextId, answerId: 'answer-1' });
    this.#wrapper = isWrapped ? createBoundaryWrapper() : UNCHANGED;
    this.closed = new Promise((resolve) => response.once('close', resolve));
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', ...STREAMING });
    response.flushHeaders();
  }

  begin(...pieces: string[]): this {
    this.event(this.#events.task('delivered', AT));
    for (const piece of pieces) this.text(piece);
    return this;
  }

  text(piece: string): this {
    this.event(this.#events.text(this.#wrapper.push(piece)));
    return this;
  }

  /** The whole text from its beginning, as it is on the wire. */
  restart(text: string): this {
    this.#isTextOpen = false;
    this.event(this.#events.restart(text));
    return this;
  }

  /** The text has ended. */
  rest(parts: readonly JsonObject[], metadata?: JsonObject): this {
    this.#closeText();
    this.event(this.#events.rest(parts, metadata));
    return this;
  }

  end(state: MessageState = 'answered', more: { message?: JsonObject; code?: string } = {}): void {
    this.#closeText();
    this.event(this.#events.end({ state, at: AT, ...more }));
    this.#response.end();
  }

  #closeText(): void {
    const rest = this.#isTextOpen ? this.#wrapper.end() : '';
    this.#isTextOpen = false;
    if (rest !== '') this.event(this.#events.text(rest));
  }

  event(result: JsonObject): void {
    this.raw(sseEvent({ jsonrpc: '2.0', id: 1, result }));
  }

  /** From now on each event is sent in several pieces, cut at these places of its bytes. */
  cutBytes(places: readonly number[]): this {
    this.#byteCuts = places;
    return this;
  }

  /** Returns whether the client takes what was sent. */
  raw(text: string): boolean {
    const bytes = Buffer.from(text);
    const cuts = this.#byteCuts.map((place) => place % bytes.length).sort((a, b) => a - b);
    const pieces = [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index]));
    return pieces.map((piece) => this.#response.write(piece)).every(Boolean);
  }

  /** Ends the response in the middle of the stream. */
  cut(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}

/** Responds with a stream. */
export function streaming(
  write: (stream: StreamedResponse, request: SeenRequest) => void | Promise<void>,
  options: { isWrapped?: boolean } = {},
): ScriptedResponse {
  return (request, response) => void write(new StreamedResponse(request, response, options), request);
}
