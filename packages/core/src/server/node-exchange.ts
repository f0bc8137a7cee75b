import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { InboundHandler } from '../inbound-http/inbound-handler.ts';

const NOTHING_HERE = '{"error":"There is no agent at this path.","code":"not_found"}';

const BODY_READ =
  '{"error":"The body was read before the agent got the request.","code":"internal_error","hint":"Mount the handler of the agent before body parsers."}';

/**
 * Passes the requests of `node:http`, or of a framework that is built on it, to a handler. The body must not have been
 * read: such a request gets a 500 that says so.
 *
 * @example
 * app.use('/a2a', toNodeListener(createInboundHandler(agent))); // Express, before express.json()
 */
export function toNodeListener(
  handler: InboundHandler,
): (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void> {
  return async (incoming, outgoing) => {
    if (incoming.readableDidRead) {
      outgoing.writeHead(500, { 'content-type': 'application/json' }).end(BODY_READ);
      return;
    }
    await respondTo(incoming, outgoing, handler);
  };
}

/** Lets a handler respond to a request of Node. Resolves when the response is written or the connection closed; never rejects. */
export async function respondTo(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: InboundHandler | undefined,
): Promise<void> {
  const left = new AbortController();
  outgoing.once('close', () => left.abort());
  const isOver = new Promise<void>((resolve) => outgoing.once('close', resolve));
  try {
    if (handler === undefined) {
      outgoing.writeHead(404, { 'content-type': 'application/json' }).end(NOTHING_HERE);
    } else {
      const response = await handler(toRequest(incoming, left.signal));
      if (outgoing.destroyed) return;
      outgoing.writeHead(response.status, {
        ...Object.fromEntries(response.headers),
        // Of a body that was refused the rest is not read.
        ...(incoming.complete ? {} : { connection: 'close' }),
      });
      const { body, headers } = response;
      if (body !== null && headers.get('content-type')?.startsWith('text/event-stream') === true) {
        // No faster than the caller reads; when the caller has gone, the body is canceled.
        await pipeline(Readable.fromWeb(body as ReadableStream), outgoing);
      } else outgoing.end(Buffer.from(await response.arrayBuffer()));
    }
  } catch {
    outgoing.destroy();
  }
  await isOver;
}

/** @throws TypeError for headers or a path that are not those of a request. */
function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const { method = 'GET', url = '/', rawHeaders } = incoming;
  const headers = new Headers();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '');
  }
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(new URL(url, 'http://agent.invalid'), {
    method,
    headers,
    signal,
    ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' } : {}),
  });
}
