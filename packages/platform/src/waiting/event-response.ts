import type { FastifyReply } from 'fastify';
import type { Clock } from '../time/clock.ts';
import { type ClientConnection, watchConnection } from './client-connection.ts';

/** A client that does not take what was sent for so long is disconnected, in milliseconds. */
const STALLED_AFTER_MS = 30_000;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx passes on such a response as it comes.
  'x-accel-buffering': 'no',
};

export interface EventResponseOptions {
  readonly clock: Clock;
  /** Aborted when the platform stops: the connection is closed after the response. */
  readonly shutdown: AbortSignal;
}

/** A response of server-sent events. Its head is sent with the first of them. */
export class EventResponse {
  readonly connection: ClientConnection;
  readonly #reply: FastifyReply;
  readonly #options: EventResponseOptions;
  #hasBegun = false;
  #release: () => void = () => {};

  constructor(reply: FastifyReply, options: EventResponseOptions) {
    this.#reply = reply;
    this.#options = options;
    this.connection = watchConnection(reply);
    this.connection.onGone(() => this.#release());
    reply.raw.on('drain', () => this.#release());
  }

  /** Writes one event, or several. True when the client takes more at once, false when {@link drained} says when. */
  write(text: string): boolean {
    if (this.connection.gone) return true;
    this.#begin();
    return this.#reply.raw.write(text);
  }

  /** Resolves when the client has taken what was written, or is gone. It is disconnected when that takes too long. */
  drained(): Promise<void> {
    if (this.connection.gone || !this.#reply.raw.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#disconnectLater();
      this.#release = () => {
        this.#release = () => {};
        cancel();
        resolve();
      };
    });
  }

  /** Ends the response. */
  end(): void {
    const { raw } = this.#reply;
    if (this.connection.gone) return void raw.destroy();
    this.#begin();
    const { socket } = raw;
    if (this.#options.shutdown.aborted) raw.once('finish', () => socket?.end());
    raw.once('close', this.#disconnectLater());
    raw.end();
  }

  /** Ends it without a last event, because of a defect. */
  abort(): void {
    this.#reply.raw.destroy();
  }

  #disconnectLater(): () => void {
    return this.#options.clock.schedule(STALLED_AFTER_MS, () => void this.#reply.raw.destroy());
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#reply.hijack();
    const { raw } = this.#reply;
    const headers = this.#reply.headers(HEADERS).getHeaders();
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200);
    raw.flushHeaders();
  }
}
