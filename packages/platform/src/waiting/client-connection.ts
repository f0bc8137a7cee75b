import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';

/** The connection of one request, as a handler that waits needs to know it. */
export interface ClientConnection {
  /** True once the client went away without its answer. */
  readonly gone: boolean;
  /** Lets what the network has brought so far be seen, such as that the client hung up. */
  settle(): Promise<void>;
  /** Runs `task` once when the client goes away before its answer was written; at once when it is gone already. */
  onGone(task: () => void): void;
  /** Runs `task` once when the answer was handed to the socket (true) or the client went away first (false). */
  onAnswered(task: (written: boolean) => void): void;
}

/**
 * Watches whether the client of a request is still there. A client that closed its side is gone, although the
 * operating system still takes what is written to it for a while.
 */
export function watchConnection(reply: FastifyReply): ClientConnection {
  const response = reply.raw;
  const { socket } = reply.request.raw;
  let wasHungUp = socket.readableEnded;
  if (!wasHungUp && !socket.destroyed) {
    const onHangUp = () => {
      wasHungUp = true;
      response.emit(HANG_UP);
    };
    socket.once('end', onHangUp);
    response.once('close', () => socket.off('end', onHangUp));
  }
  const isGone = () =>
    !response.writableFinished && (wasHungUp || socket.destroyed || response.destroyed || response.closed);
  return {
    get gone() {
      return isGone();
    },
    settle: async () => {
      await nextTurn();
      await nextTurn();
    },
    onGone: (task) => {
      const tell = once(task);
      if (isGone()) return tell();
      response.once(HANG_UP, tell);
      response.once('close', () => (response.writableFinished ? undefined : tell()));
    },
    onAnswered: (task) => {
      const tell = once(task);
      if (isGone()) return tell(false);
      response.once(HANG_UP, () => tell(false));
      response.once('finish', () => tell(!wasHungUp));
      response.once('close', () => tell(response.writableFinished));
    },
  };
}

/** Our own event on a response: the client closed its side of the connection. */
const HANG_UP = Symbol('the client hung up');

function once<Arguments extends unknown[]>(task: (...values: Arguments) => void) {
  let isDone = false;
  return (...values: Arguments): void => {
    if (isDone) return;
    isDone = true;
    task(...values);
  };
}
