import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';

/** The connection of one request, for handlers that wait. */
export interface ClientConnection {
  /** True when the client disconnected before the response was written. */
  readonly gone: boolean;
  /** Processes pending network events first, such as a disconnect of the client. */
  processPendingEvents(): Promise<void>;
  /** Runs `task` once when the client disconnects before its response was written; at once when it already has. */
  onGone(task: () => void): void;
  /** Runs `task` once: true when the response was written to the socket, false when the client disconnected first. */
  onResponseSent(task: (written: boolean) => void): void;
}

/**
 * Monitors whether the client of a request is still connected. A client that closed its side has disconnected, although
 * the operating system accepts writes to it for a while.
 */
export function watchConnection(reply: FastifyReply): ClientConnection {
  const response = reply.raw;
  const { socket } = reply.request.raw;
  let hasClientClosed = socket.readableEnded;
  if (!hasClientClosed && !socket.destroyed) {
    const onEnd = () => {
      hasClientClosed = true;
      response.emit(CLIENT_CLOSED);
    };
    socket.once('end', onEnd);
    response.once('close', () => socket.off('end', onEnd));
  }
  const isGone = () =>
    !response.writableFinished &&
    (hasClientClosed || socket.destroyed || response.destroyed || response.closed);
  return {
    get gone() {
      return isGone();
    },
    processPendingEvents: async () => {
      await nextTurn();
      await nextTurn();
    },
    onGone: (task) => {
      const runTask = once(task);
      if (isGone()) return runTask();
      response.once(CLIENT_CLOSED, runTask);
      response.once('close', () => (response.writableFinished ? undefined : runTask()));
    },
    onResponseSent: (task) => {
      const runTask = once(task);
      if (isGone()) return runTask(false);
      response.once(CLIENT_CLOSED, () => runTask(false));
      // Node reports a write as finished also when the connection broke in the middle of it.
      response.once('finish', () => runTask(!hasClientClosed && !socket.destroyed && !socket.errored));
      response.once('close', () => runTask(response.writableFinished));
    },
  };
}

/** Our own event on a response: the client closed its side of the connection. */
const CLIENT_CLOSED = Symbol('client closed');

function once<Arguments extends unknown[]>(task: (...values: Arguments) => void) {
  let isDone = false;
  return (...values: Arguments): void => {
    if (isDone) return;
    isDone = true;
    task(...values);
  };
}
