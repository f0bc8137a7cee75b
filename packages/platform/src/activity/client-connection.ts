import type { FastifyReply } from 'fastify';

/** The connection of one request, as a handler that waits needs to know it. */
export interface ClientConnection {
  /** True once the client went away without its answer. */
  readonly gone: boolean;
  /** Runs `task` when the client goes away before its answer was written; at once when it is gone already. */
  onGone(task: () => void): void;
  /** Runs `task` once when the answer was handed to the socket (true) or the client went away first (false). */
  onAnswered(task: (written: boolean) => void): void;
}

/** Watches whether the client of a request is still there. */
export function watchConnection(reply: FastifyReply): ClientConnection {
  const response = reply.raw;
  const isGone = () => (response.destroyed || response.closed) && !response.writableFinished;
  return {
    get gone() {
      return isGone();
    },
    onGone: (task) => {
      if (isGone()) task();
      else response.once('close', () => (response.writableFinished ? undefined : task()));
    },
    onAnswered: (task) => {
      if (isGone()) return task(false);
      let told = false;
      const tell = (written: boolean) => {
        if (told) return;
        told = true;
        task(written);
      };
      response.once('finish', () => tell(true));
      response.once('close', () => tell(response.writableFinished));
    },
  };
}
