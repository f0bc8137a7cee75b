import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressGuard } from '@molecule-ai/net-guard';
import { MemoryListener } from './memory-listener.ts';

/** Answers a request to an agent, as the handler of `createInboundHandler` and the routes of most frameworks do. */
export type RequestHandler = (request: Request) => Response | Promise<Response>;

interface ServedAgent {
  readonly server: Server;
  readonly listener: MemoryListener;
}

/** Agents with a URL whose requests are handled in this process. */
export class ServedAgents {
  readonly #onTransfer: () => void;
  readonly #byOrigin = new Map<string, ServedAgent>();

  constructor(onTransfer: () => void) {
    this.#onTransfer = onTransfer;
  }

  /** Connects to these agents in memory, and to all others as the guard does. */
  guardOf(guard: AddressGuard): AddressGuard {
    return {
      ...guard,
      connect: (target, callback) => {
        const origin = URL.parse(`${target.protocol}//${target.hostname}:${target.port}`)?.origin;
        const agent = this.#byOrigin.get(origin ?? '');
        if (agent === undefined) guard.connect(target, callback);
        else agent.listener.connect(target, callback);
      },
    };
  }

  /** All requests to the origin of this URL go to the handler. Returns what ends that. */
  serve(url: string | URL, handle: RequestHandler): () => Promise<void> {
    if (typeof handle !== 'function') {
      throw new TypeError('serve(url, handler) needs a handler: a function from Request to Response.');
    }
    const { origin, port, protocol } = new URL(url);
    if (this.#byOrigin.has(origin)) throw new Error(`${origin} is already served.`);
    const { createServer } = process.getBuiltinModule('node:http');
    const server = createServer((request, response) => {
      respond(origin, handle, request, response).catch(() => response.destroy());
    });
    const defaultPort = protocol === 'https:' ? 443 : 80;
    const listener = new MemoryListener(server, Number(port) || defaultPort, this.#onTransfer);
    this.#byOrigin.set(origin, { server, listener });
    return async () => {
      if (this.#byOrigin.get(origin)?.listener === listener) this.#byOrigin.delete(origin);
      await listener.close(0);
    };
  }

  /** Breaks what is under way. */
  async close(): Promise<void> {
    const agents = [...this.#byOrigin.values()];
    this.#byOrigin.clear();
    await Promise.all(agents.map(({ listener }) => listener.close(0)));
  }
}

/** One request. An error of the handler is a 500, or breaks the connection when the response has begun. */
async function respond(
  origin: string,
  handle: RequestHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const disconnected = new AbortController();
  outgoing.once('close', () => disconnected.abort());
  const request = await requestOf(origin, incoming, disconnected.signal);
  let response: Response;
  try {
    response = await handle(request);
  } catch {
    response = new Response(null, { status: 500 });
  }
  outgoing.writeHead(response.status, [...response.headers].flat());
  for await (const chunk of response.body ?? []) {
    if (outgoing.destroyed) break;
    if (!outgoing.write(chunk)) await Promise.race([once(outgoing, 'drain'), once(outgoing, 'close')]);
  }
  outgoing.end();
}

async function requestOf(origin: string, incoming: IncomingMessage, signal: AbortSignal): Promise<Request> {
  const { method = 'GET', url = '/', rawHeaders } = incoming;
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(new URL(url, origin), {
    method,
    headers,
    signal,
    ...(hasBody ? { body: Buffer.concat(chunks) } : {}),
  });
}
