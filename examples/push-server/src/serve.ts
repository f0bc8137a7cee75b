/** The programs around the handler: each serves one framework on a free port, at `/a2a`. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { A2AServer } from '@molecule-ai/core';
import type { InboundHandler } from '@molecule-ai/core/inbound';
import { createExpressApp } from './express.ts';
import { createFastifyApp } from './fastify.ts';
import { createHonoApp } from './hono.ts';

export interface Served {
  /** The URL that the agent reports. */
  readonly url: string;
  close(): Promise<void>;
}

export const frameworks: Readonly<Record<string, (handler: InboundHandler) => Promise<Served>>> = {
  express: serveExpress,
  fastify: serveFastify,
  hono: (handler) => {
    const app = createHonoApp(handler);
    return serveFetch(async (request) => app.fetch(request));
  },
};

/** Serves a function from `Request` to `Response`, which is what Hono, Next and others have. */
export async function serveFetch(handler: InboundHandler): Promise<Served> {
  const server = new A2AServer({ handler, port: 0 });
  await server.start();
  return { url: `${server.url}/a2a`, close: () => server.stop() };
}

async function serveExpress(handler: InboundHandler): Promise<Served> {
  const server = createExpressApp(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${port}/a2a`, close };
}

async function serveFastify(handler: InboundHandler): Promise<Served> {
  const app = createFastifyApp(handler);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return { url: `${url}/a2a`, close: () => app.close() };
}
