import type { IncomingHttpHeaders } from 'node:http';
import { errorBodyOf, isErrorCode } from '@molecule-ai/protocol';
import { Agent } from 'undici';

/** An HTTP response; status 0 means that none came. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON, or undefined when it is not JSON. */
  readonly body: unknown;
  /** Why none came. */
  readonly failure?: string;
}

export type Headers = Readonly<Record<string, string>>;
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Request {
  readonly method: Method;
  readonly path: string;
  readonly headers?: Headers;
  /** A value is sent as JSON, a text or bytes as they are. */
  readonly body?: unknown;
  readonly rawBody?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

/** Sends requests with exactly the headers given; never throws. */
export class Http {
  #agent = newAgent();
  /** Error responses seen so far whose code is missing or not of the closed list. */
  readonly uncoded: string[] = [];

  async send(base: string, request: Request): Promise<HttpResponse> {
    const payload =
      request.rawBody ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
    const isJson = request.rawBody === undefined && request.body !== undefined;
    try {
      const response = await this.#agent.request({
        origin: base,
        path: request.path,
        method: request.method,
        headers: { ...(isJson ? { 'content-type': 'application/json' } : {}), ...request.headers },
        body: payload ?? null,
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
      const text = await response.body.text();
      const body = parse(text);
      if (response.statusCode >= 400 && !isErrorCode(valueAt(errorBodyOf(body), 'code'))) {
        this.uncoded.push(`${request.method} ${request.path}: ${response.statusCode} ${text.slice(0, 200)}`);
      }
      return { status: response.statusCode, headers: response.headers, text, body };
    } catch (error) {
      const failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return { status: 0, headers: {}, text: '', body: undefined, failure };
    }
  }

  /** Closes every connection; the next request opens a new one. */
  async closeConnections(): Promise<void> {
    const agent = this.#agent;
    this.#agent = newAgent();
    await agent.destroy();
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

function newAgent(): Agent {
  return new Agent({ connections: 600, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
}

/** Requests of one caller: its headers go with each of them. */
export class Caller {
  readonly #http: Http;
  readonly #base: () => string;
  readonly headers: Headers;

  constructor(http: Http, base: () => string, headers: Headers) {
    this.#http = http;
    this.#base = base;
    this.headers = headers;
  }

  /** The same caller with further headers. */
  with(headers: Headers): Caller {
    return new Caller(this.#http, this.#base, { ...this.headers, ...headers });
  }

  send(request: Request): Promise<HttpResponse> {
    const headers = { ...this.headers, ...request.headers };
    return this.#http.send(this.#base(), { ...request, headers });
  }

  get(path: string, headers: Headers = {}): Promise<HttpResponse> {
    return this.send({ method: 'GET', path, headers });
  }

  post(path: string, body?: unknown, headers: Headers = {}): Promise<HttpResponse> {
    return this.send({ method: 'POST', path, body, headers });
  }

  patch(path: string, body?: unknown): Promise<HttpResponse> {
    return this.send({ method: 'PATCH', path, body });
  }

  delete(path: string): Promise<HttpResponse> {
    return this.send({ method: 'DELETE', path });
  }
}

/** The text at `path` inside a body; throws when there is none, so that a test stops where it went wrong. */
export function textAt(body: unknown, ...path: (string | number)[]): string {
  const value = valueAt(body, ...path);
  if (typeof value === 'string' && value !== '') return value;
  throw new Error(`no text at ${path.join('.')} of ${JSON.stringify(body)?.slice(0, 500)}`);
}

/** Whatever is at `path` inside a body, or undefined. */
export function valueAt(body: unknown, ...path: (string | number)[]): unknown {
  let value = body;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** A body that must be a list of objects. */
export function rowsOf(response: HttpResponse): Record<string, unknown>[] {
  if (Array.isArray(response.body)) return response.body as Record<string, unknown>[];
  throw new Error(`no list: ${response.status} ${response.failure ?? response.text.slice(0, 500)}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A request under way, and whether it has its response. */
export function trackCall(response: Promise<HttpResponse>): {
  readonly response: Promise<HttpResponse>;
  isComplete: boolean;
} {
  const call = { response, isComplete: false };
  void response.then(() => {
    call.isComplete = true;
  });
  return call;
}
