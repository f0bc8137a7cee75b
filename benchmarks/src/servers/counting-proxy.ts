import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export interface Traffic {
  /** Number of HTTP requests, counted by their request lines. */
  requests: number;
  bytesUp: number;
  bytesDown: number;
}

export interface CountingProxy {
  readonly url: string;
  readonly traffic: Traffic;
  close(): Promise<void>;
}

const requestLine = /^(GET|POST|PUT|PATCH|DELETE) \S+ HTTP\/1\.1\r$/gm;

/** Starts a TCP relay in front of a server that counts requests and bytes. */
export async function startCountingProxy(targetUrl: string): Promise<CountingProxy> {
  const target = new URL(targetUrl);
  const traffic: Traffic = { requests: 0, bytesUp: 0, bytesDown: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((downstream) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [downstream, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    }
    downstream.on('data', (chunk: Buffer) => {
      traffic.bytesUp += chunk.length;
      traffic.requests += chunk.toString('latin1').match(requestLine)?.length ?? 0;
    });
    upstream.on('data', (chunk: Buffer) => {
      traffic.bytesDown += chunk.length;
    });
    downstream.pipe(upstream);
    upstream.pipe(downstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    traffic,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
