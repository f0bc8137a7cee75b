import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Server as TcpServer } from 'node:net';
import type { Agent } from 'undici';
import { afterEach, type Mock, vi } from 'vitest';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Starts a server on 127.0.0.1 until the end of the test; `connections` counts accepted sockets. */
export async function serve(
  listener: RequestListener = (_request, response) => response.end('hello'),
): Promise<{ port: number; connections: Mock<() => void>; requests: Mock<RequestListener> }> {
  const requests = vi.fn(listener);
  const connections = vi.fn<() => void>();
  const server = createServer(requests);
  server.on('connection', connections);
  return { port: await listen(server), connections, requests };
}

export async function listen(server: Server | TcpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return address.port;
}

/** A resolver that returns the next list at each call; the last one is repeated. */
export function resolving(...results: string[][]) {
  let call = 0;
  return vi.fn(async (_hostname: string) => {
    const addresses = results[Math.min(call, results.length - 1)] ?? [];
    call += 1;
    return addresses.map((address) => ({ address }));
  });
}

/** Destroys the agent at the end of the test. */
export function destroyedAfterTest(agent: Agent): Agent {
  cleanups.push(() => agent.destroy());
  return agent;
}

export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no failure',
    (error: unknown) => error,
  );
}

export function defer<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolvePromise) => {
    resolve = resolvePromise;
  });
  return { promise, resolve };
}
