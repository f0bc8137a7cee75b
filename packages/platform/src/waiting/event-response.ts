import type { FastifyReply } from 'fastify';
import type { Clock } from '../time/clock.ts';
import { ClientConnection } from './client-connection.ts';

/** A client that does not take what was sent for so long is disconnected, in milliseconds. */
const STALLED_AFTER_MS = 30_000;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx passes on such a response as it comes.
  'x-accel-buffering': 'no',
};

/** So much is written at once, in bytes: a client that takes less is not the one that takes nothing. */
const SLICE_BYTES = 64 * 1024;

interface EventResponseOptions {
  readonly clock: Clock;
  /** Aborted when the platform stops: the connection is closed after the response. */
  readonly shutdown: AbortSignal;
}

/** A response of server-sent events. Its head is sent with the first of them. */
export class EventResponse {
  readonly connection: ClientConnection;
  /** Resolves when the response was written, or the client is gone. */
  readonly closed: Promise<void>;
  readonly #reply: FastifyReply;
  readonly #options: EventResponseOptions;
  #hasBegun = false;
  #release: () => void = () => {};

  constructor(reply: FastifyReply, options: EventResponseOptions) {
    this.#reply = reply;
    this.#options = options;
    this.connection = new ClientConnection(reply);
    this.connection.onGone(() => this.#release());
    reply.raw.on('drain', () => this.#release());
    this.closed = new Promise((resolve) => void reply.raw.once('close', resolve));
  }

  /**
   * Writes events, and resolves when the client takes more or is gone. It is disconnected when it takes nothing for too long.
   * `onWait` is called with true before it waits for the client, and with false afterwards.
   */
  async send(text: string, onWait: (isWaiting: boolean) => void = () => {}): Promise<void> {
    if (text.length <= SLICE_BYTES / 4) return this.#write(text, onWait);
    const bytes = Buffer.from(text);
    for (let from = 0; from < bytes.length && !this.connection.gone; from += SLICE_BYTES) {
      await this.#write(bytes.subarray(from, from + SLICE_BYTES), onWait);
    }
  }

  async #write(data: string | Buffer, onWait: (isWaiting: boolean) => void): Promise<void> {
    if (this.connection.gone) return;
    this.#begin();
    if (this.#reply.raw.write(data)) return;
    onWait(true);
    await this.#drained();
    onWait(false);
  }

  #drained(): Promise<void> {
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
