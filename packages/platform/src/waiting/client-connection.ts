import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';

/**
 * The connection of one request, for handlers that wait. A client that closed its side has disconnected, although the operating system
 * accepts writes to it for a while.
 */
export class ClientConnection {
  readonly #response: FastifyReply['raw'];
  readonly #socket: FastifyReply['raw']['req']['socket'];
  readonly #onGone: (() => void)[] = [];
  readonly #onSent: ((isWritten: boolean) => void)[] = [];
  #hasClientClosed: boolean;

  constructor({ raw, request }: FastifyReply) {
    const { socket } = request.raw;
    this.#response = raw;
    this.#socket = socket;
    this.#hasClientClosed = socket.readableEnded;
    const onEnd = () => {
      this.#hasClientClosed = true;
      this.#settle(false);
    };
    socket.once('end', onEnd);
    // Node reports a write as finished also when the connection broke in the middle of it.
    raw.once('finish', () => this.#settle(!this.#hasClientClosed && !socket.destroyed && !socket.errored));
    raw.once('close', () => {
      socket.off('end', onEnd);
      this.#settle(raw.writableFinished);
    });
  }

  /** True when the client disconnected before the response was written. */
  get gone(): boolean {
    const { closed, destroyed, writableFinished } = this.#response;
    return !writableFinished && (this.#hasClientClosed || this.#socket.destroyed || destroyed || closed);
  }

  /** Processes pending network events first, such as a disconnect of the client. */
  async processPendingEvents(): Promise<void> {
    await nextTurn();
    await nextTurn();
  }

  /** Runs `task` once when the client disconnects before its response was written; at once when it already has. */
  onGone(task: () => void): void {
    if (this.gone) task();
    else this.#onGone.push(task);
  }

  /** Runs `task` once: true when the response was written to the socket, false when the client disconnected first. */
  onResponseSent(task: (isWritten: boolean) => void): void {
    if (this.gone) task(false);
    else this.#onSent.push(task);
  }

  #settle(isWritten: boolean): void {
    const gone = this.#onGone.splice(0);
    if (!this.#response.writableFinished) for (const task of gone) task();
    for (const task of this.#onSent.splice(0)) task(isWritten);
  }
}
