import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A JSON request over HTTP and its response. */
export interface Exchange {
  /** Those of A2A only. */
  readonly headers: Readonly<Record<string, string>>;
  readonly request: unknown;
  readonly status: number;
  readonly response: unknown;
}

/** A proxy in front of one server that keeps what passes through it. */
export interface Recorder {
  readonly url: string;
  /** In the order of their responses. */
  readonly exchanges: Exchange[];
  close(): void;
}

/** Starts a recorder for the server at `origin`, on a free loopback port. */
export async function startRecorder(origin: string): Promise<Recorder> {
  const exchanges: Exchange[] = [];
  const server = createServer((request, reply) => {
    forward(request).then(
      ({ status, body }) => reply.writeHead(status, { 'content-type': 'application/json' }).end(body),
      (error: Error) => reply.writeHead(502).end(error.message),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, exchanges, close: () => server.close() };

  async function forward(
    incoming: IncomingMessage,
  ): Promise<{ readonly status: number; readonly body: string }> {
    const { method = 'POST', url: path = '/' } = incoming;
    const sent = (await incoming.toArray()).join('');
    const given = Object.entries(incoming.headers).filter((entry): entry is [string, string] => {
      return typeof entry[1] === 'string' && !HOP_BY_HOP.has(entry[0]);
    });
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: given,
      ...(method === 'POST' ? { body: sent } : {}),
    });
    const body = await response.text();
    if (method === 'POST') {
      const headers = Object.fromEntries(given.filter(([name]) => name.includes('a2a-')));
      exchanges.push({
        headers,
        request: JSON.parse(sent),
        status: response.status,
        response: JSON.parse(body),
      });
    }
    return { status: response.status, body };
  }
}

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'transfer-encoding',
]);
