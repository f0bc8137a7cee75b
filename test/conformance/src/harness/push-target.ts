import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request that reached the scripted agent. */
export interface PushedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: unknown;
}

/** What the scripted agent does with a request. */
type Reaction =
  | {
      readonly kind: 'json';
      readonly body: unknown;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'text'; readonly text: string; readonly type: string; readonly status?: number }
  | { readonly kind: 'redirect'; readonly to: string }
  /** Closes the connection without a byte of answer. */
  | { readonly kind: 'hang-up' }
  /** Headers, then 20 MiB of a JSON text. */
  | { readonly kind: 'huge' }
  /** Keeps the connection and answers nothing, ever. */
  | { readonly kind: 'never' };

export type Script = (request: PushedRequest, count: number) => Reaction | Promise<Reaction>;

/** A scripted agent behind a URL. */
export interface PushTarget {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly PushedRequest[];
  /** Replaces the script from now on. */
  react(script: Script): void;
  /** Resolves once `count` requests have arrived. */
  received(count: number): Promise<readonly PushedRequest[]>;
  stop(): Promise<void>;
}

export interface PushTargetOptions {
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** @default any free one */
  readonly port?: number;
  readonly script: Script;
}

export async function startPushTarget(options: PushTargetOptions): Promise<PushTarget> {
  let script = options.script;
  const requests: PushedRequest[] = [];
  const sockets = new Set<Socket>();
  const waiters = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const { method = '', url: path = '', headers } = request;
      const pushed = { method, path, headers, text, body: parse(text) };
      requests.push(pushed);
      for (const wake of [...waiters]) wake();
      carryOut(await script(pushed, requests.length), response);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    requests,
    react: (next) => {
      script = next;
    },
    received: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (requests.length < count) return;
          waiters.delete(check);
          resolve(requests);
        };
        waiters.add(check);
        check();
      }),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Answers `text` in the shape of seed 002's page. */
export function answering(text: string): Script {
  return (request) => ({ kind: 'json', body: completed(request, text) });
}

/** A `completed` result with one artifact, as seed 002 prints it. */
export function completed(request: PushedRequest, text: string): unknown {
  const id = (request.body as { id?: unknown } | undefined)?.id ?? null;
  return {
    jsonrpc: '2.0',
    id,
    result: { status: 'completed', artifacts: [{ parts: [{ type: 'text', text }] }] },
  };
}

function carryOut(reaction: Reaction, response: ServerResponse): void {
  switch (reaction.kind) {
    case 'json':
      response.writeHead(reaction.status ?? 200, { 'content-type': 'application/json', ...reaction.headers });
      response.end(JSON.stringify(reaction.body));
      return;
    case 'text':
      response.writeHead(reaction.status ?? 200, { 'content-type': reaction.type });
      response.end(reaction.text);
      return;
    case 'redirect':
      response.writeHead(307, { location: reaction.to });
      response.end();
      return;
    case 'hang-up':
      response.destroy();
      return;
    case 'huge':
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"jsonrpc":"2.0","id":1,"result":{"text":"');
      response.end(`${'x'.repeat(20 * 1024 * 1024)}"}}`);
      return;
    case 'never':
      return;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
