import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkExchange } from '@molecule-ai/protocol';

/** The response to one request. `hang` sends none, `reset` resets the connection, `half` truncates the body. */
export type ScriptedResponse =
  | { status?: number; headers?: Record<string, string>; body?: unknown }
  | 'hang'
  | 'reset'
  | 'half'
  | ((request: SeenRequest, response: ServerResponse) => void);

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly rawBody: string;
  readonly body: unknown;
}

/** A server with scripted responses, one per request; the last one is repeated. */
export class ScriptedServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  /** Number of connections that were opened. */
  connections = 0;
  #watchers: (() => void)[] = [];
  readonly #server = createServer((request, response) => void this.#handle(request, response));
  #script: ScriptedResponse[];
  /** Responses by "METHOD /path"; they take precedence over the script. */
  readonly routes = new Map<string, ScriptedResponse>();

  constructor(script: ScriptedResponse[]) {
    this.#script = script;
  }

  static async start(...script: ScriptedResponse[]): Promise<ScriptedServer> {
    const server = new ScriptedServer(script);
    server.#server.on('connection', () => {
      server.connections += 1;
    });
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get last(): SeenRequest {
    const request = this.requests.at(-1);
    if (request === undefined) throw new Error('No request was seen.');
    return request;
  }

  /** Resolves when at least `count` requests have arrived. */
  async waitForRequests(count: number): Promise<void> {
    while (this.requests.length < count) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  script(...responses: ScriptedResponse[]): void {
    this.#script = responses;
  }

  /** Checks the requests so far against the strict schemas of the protocol. */
  contractProblems(): string[] {
    return this.requests.flatMap(({ method, path, query, body }) =>
      checkExchange({
        method,
        path,
        query: Object.fromEntries(query),
        requestBody: body,
        status: 200,
        responseBody: undefined,
        mode: 'all',
      }).filter((problem) => problem.includes('accepted')),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://scripted');
    const rawBody = Buffer.concat(chunks).toString('utf8');
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      rawBody,
      body: rawBody === '' ? undefined : JSON.parse(rawBody),
    };
    this.requests.push(seen);
    for (const wake of this.#watchers.splice(0)) wake();
    const scripted =
      this.routes.get(`${seen.method} ${seen.path}`) ??
      (this.#script.length > 1 ? this.#script.shift() : this.#script[0]);
    this.#respond(scripted ?? {}, seen, response);
  }

  #respond(scripted: ScriptedResponse, seen: SeenRequest, response: ServerResponse): void {
    if (scripted === 'hang') return;
    if (scripted === 'reset') {
      response.socket?.resetAndDestroy();
      return;
    }
    if (scripted === 'half') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"status":');
      setTimeout(() => response.socket?.destroy(), 5);
      return;
    }
    if (typeof scripted === 'function') {
      scripted(seen, response);
      return;
    }
    const { status = 200, headers = {}, body } = scripted;
    const raw = typeof body === 'string' || Buffer.isBuffer(body);
    response.writeHead(status, raw ? headers : { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? undefined : raw ? body : JSON.stringify(body));
  }
}
