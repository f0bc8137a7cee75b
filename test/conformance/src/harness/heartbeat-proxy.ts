import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestEnvironment } from './test-environment.ts';

const PATIENCE_MS = 60_000;

export interface HeartbeatProxyOptions {
  /** Agents connect over https. @default http */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A proxy in front of a platform that counts the heartbeats that pass. */
export interface HeartbeatProxy {
  /** What agents have as their platform. */
  readonly url: string;
  /**
   * A GET of this URL ends when two more heartbeats of each workspace of the parameters `id` have come. Its response is the number
   * of heartbeats of every workspace so far, before the request and after it. A process whose event loop is blocked reads it in a
   * child process.
   */
  readonly heartbeatsUrl: string;
}

/** Ends with the test. */
export async function startHeartbeatProxy(
  environment: TestEnvironment,
  platformUrl: string,
  { tls }: HeartbeatProxyOptions = {},
): Promise<HeartbeatProxy> {
  const counts: Record<string, number> = {};
  let counted = Promise.withResolvers<void>();
  const count = (body: Buffer): void => {
    const { workspace_id: id } = JSON.parse(body.toString()) as { workspace_id: string };
    counts[id] = (counts[id] ?? 0) + 1;
    counted.resolve();
    counted = Promise.withResolvers();
  };
  const untilTwoMore = async (ids: readonly string[], signal: AbortSignal): Promise<object> => {
    const before = { ...counts };
    const isWaiting = () => ids.some((id) => (counts[id] ?? 0) < (before[id] ?? 0) + 2);
    while (isWaiting()) {
      signal.throwIfAborted();
      await Promise.race([counted.promise, once(signal, 'abort')]);
    }
    return { before, after: counts };
  };
  const listener: RequestListener = (incoming, response) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://localhost');
    if (pathname !== '/two-more-heartbeats') return pass(platformUrl, incoming, response, count);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    untilTwoMore(searchParams.getAll('id'), signal).then(
      (result) => response.end(JSON.stringify(result)),
      () => response.writeHead(500).end(JSON.stringify(counts)),
    );
  };
  const plain = await listening(environment, createServer(listener));
  const agents = tls && (await listening(environment, createHttpsServer(tls, listener)));
  return {
    url: agents === undefined ? `http://127.0.0.1:${plain}` : `https://localhost:${agents}`,
    heartbeatsUrl: `http://127.0.0.1:${plain}/two-more-heartbeats`,
  };
}

async function listening(environment: TestEnvironment, server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  environment.onCleanup(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

function pass(
  platformUrl: string,
  incoming: IncomingMessage,
  response: ServerResponse,
  onHeartbeat: (body: Buffer) => void,
): void {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => {
    const body = Buffer.concat(chunks);
    const headers = { ...incoming.headers, host: new URL(platformUrl).host };
    const outgoing = request(platformUrl + incoming.url, { method: incoming.method, headers, agent: false });
    outgoing.on('response', (passed) => {
      response.writeHead(passed.statusCode ?? 502, passed.headers);
      passed.pipe(response);
      if (incoming.url === '/registry/heartbeat') passed.on('end', () => onHeartbeat(body));
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    outgoing.end(body);
  });
}
