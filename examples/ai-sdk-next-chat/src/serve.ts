/** A server of `node:http` around standard requests, as Next.js has one. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { Route } from './route.ts';

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(route: Route): Promise<Served> {
  const server = createServer((incoming, outgoing) => {
    void respond(route, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${port}/api/chat`, close };
}

async function respond(route: Route, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const left = new AbortController();
  outgoing.once('close', () => left.abort());
  const { method = 'GET', url = '/' } = incoming;
  const request = new Request(`http://${incoming.headers.host}${url}`, {
    method,
    headers: Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]),
    signal: left.signal,
    ...(method === 'POST' ? { body: Readable.toWeb(incoming), duplex: 'half' } : {}),
  } as RequestInit);
  const { status, headers, body } = await (method === 'POST' ? route.POST(request) : route.GET(request));
  outgoing.writeHead(status, Object.fromEntries(headers));
  if (body === null) outgoing.end();
  else await pipeline(Readable.fromWeb(body as ReadableStream), outgoing);
}
