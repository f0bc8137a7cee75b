import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request that reached the scripted agent. */
export interface AgentRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: unknown;
}

/** What the scripted agent does with a request. */
export type Reaction =
  | {
      readonly kind: 'json';
      readonly body: unknown;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'text'; readonly text: string; readonly type: string; readonly status?: number }
  | { readonly kind: 'redirect'; readonly to: string }
  /** Server-sent events, written by the test. */
  | { readonly kind: 'events'; readonly write: (events: AgentEvents) => void | Promise<void> }
  /** Closes the connection without a byte of a response. */
  | { readonly kind: 'hang-up' }
  /** Headers, then 20 MiB of JSON text. */
  | { readonly kind: 'huge' }
  /** Headers and the beginning of a body, then nothing more; the connection stays open. */
  | { readonly kind: 'stall' }
  /** Headers, then one byte after the other, without end. */
  | { readonly kind: 'drip' }
  /** Keeps the connection open and never responds. */
  | { readonly kind: 'never' };

/** A response of server-sent events, each with a JSON-RPC response to the request. */
export class AgentEvents {
  readonly #id: unknown;
  readonly #response: ServerResponse;
  /** Resolves when the response has ended, or its client is gone. */
  readonly closed: Promise<void>;

  constructor(request: AgentRequest, response: ServerResponse) {
    this.#id = (request.body as { id?: unknown } | undefined)?.id ?? null;
    this.#response = response;
    this.closed = new Promise((resolve) => response.once('close', resolve));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
  }

  /** Whether the client has not yet taken what was sent. */
  get isBlocked(): boolean {
    return this.#response.writableNeedDrain;
  }

  /** Resolves when the client has taken what was sent. */
  drained(): Promise<void> {
    if (!this.isBlocked) return Promise.resolve();
    return new Promise((resolve) => this.#response.once('drain', resolve));
  }

  send(...results: readonly object[]): void {
    for (const result of results) this.response({ result });
  }

  /** A whole response as one event. */
  response(body: object): void {
    this.raw(`data: ${JSON.stringify({ jsonrpc: '2.0', id: this.#id, ...body })}\n\n`);
  }

  raw(text: string): void {
    this.#response.write(text);
  }

  end(): void {
    this.#response.end();
  }

  /** Closes the connection in the middle of the response. */
  breakOff(): void {
    this.#response.destroy();
  }
}

export type AgentScript = (request: AgentRequest, count: number) => Reaction | Promise<Reaction>;

/** An agent's HTTP server whose behaviour a test decides. */
export interface ScriptedAgent {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly AgentRequest[];
  /** Replaces the script from now on. */
  react(script: AgentScript): void;
  /** Resolves once `count` requests have arrived. */
  received(count: number): Promise<readonly AgentRequest[]>;
  stop(): Promise<void>;
}

export interface ScriptedAgentOptions {
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** @default any free one */
  readonly port?: number;
  readonly script: AgentScript;
}

export async function startScriptedAgent(options: ScriptedAgentOptions): Promise<ScriptedAgent> {
  let script = options.script;
  const requests: AgentRequest[] = [];
  const sockets = new Set<Socket>();
  const waiters = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const { method = '', url: path = '', headers } = request;
      const received = { method, path, headers, text, body: parse(text) };
      requests.push(received);
      for (const wake of [...waiters]) wake();
      await respond(await script(received, requests.length), received, response);
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

/** Responds with `text` in the shape of {@link completed}. */
export function answering(text: string): AgentScript {
  return (request) => ({ kind: 'json', body: completed(request, text) });
}

/** A JSON-RPC response with a `completed` result of one artifact. */
export function completed(request: AgentRequest, text: string): unknown {
  const id = (request.body as { id?: unknown } | undefined)?.id ?? null;
  return {
    jsonrpc: '2.0',
    id,
    result: { status: 'completed', artifacts: [{ parts: [{ type: 'text', text }] }] },
  };
}

async function respond(reaction: Reaction, request: AgentRequest, response: ServerResponse): Promise<void> {
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
    case 'events':
      await reaction.write(new AgentEvents(request, response));
      return;
    case 'hang-up':
      response.destroy();
      return;
    case 'huge':
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"jsonrpc":"2.0","id":1,"result":{"text":"');
      response.end(`${'x'.repeat(20 * 1024 * 1024)}"}}`);
      return;
    case 'stall':
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"jsonrpc":"2.0",');
      return;
    case 'drip': {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 5);
      response.once('close', () => clearInterval(timer));
      return;
    }
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
