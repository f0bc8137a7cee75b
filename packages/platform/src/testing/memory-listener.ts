import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { MemorySocket } from './memory-socket.ts';

/** Connects clients of this process to a server of Node that does not listen. */
export class MemoryListener {
  readonly #server: Server;
  readonly #port: number;
  readonly #onTransfer: () => void;
  /** The sockets of the server, with the number of requests that have no response yet. */
  readonly #open = new Map<object, { readonly socket: MemorySocket; requests: number }>();
  #isClosed = false;

  /** @param onTransfer called when something happens on a connection */
  constructor(server: Server, port: number, onTransfer: () => void) {
    this.#server = server;
    this.#port = port;
    this.#onTransfer = onTransfer;
    server.on('request', (request, response) => {
      const connection = this.#open.get(request.socket);
      if (connection === undefined) return;
      connection.requests += 1;
      response.once('close', () => {
        connection.requests -= 1;
        if (this.#isClosed && connection.requests === 0) connection.socket.destroy();
      });
    });
  }

  /** undici's option `connect`. The result comes later, as that of a socket does. */
  readonly connect: buildConnector.connector = (_target, callback) => {
    queueMicrotask(() => {
      if (this.#isClosed) {
        callback(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), null);
        return;
      }
      const { client, server } = MemorySocket.pair(this.#port, this.#onTransfer);
      this.#open.set(server, { socket: server, requests: 0 });
      server.once('close', () => this.#open.delete(server));
      this.#server.emit('connection', server);
      // undici uses nothing of a socket that a stream does not have, besides the methods of MemorySocket.
      callback(null, client as unknown as Socket);
    });
  };

  /** Refuses new connections. Those with a request end with its response, or after `timeoutMs` of real time. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    const ended = [...this.#open.values()].map(({ socket, requests }) => {
      const closed = new Promise((resolve) => socket.once('close', resolve));
      if (requests === 0) socket.destroy();
      return closed;
    });
    const timer = setTimeout(() => {
      for (const { socket } of this.#open.values()) socket.destroy();
    }, timeoutMs);
    await Promise.all(ended);
    clearTimeout(timer);
  }
}
