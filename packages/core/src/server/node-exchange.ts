import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { BODY_READ, type InboundHandler, serveOf } from '../inbound-http/inbound-handler.ts';
import { joinBytes, type ServedRequest, type ServedResponse } from '../inbound-http/served-request.ts';
import type { NodeRequest, NodeResponse } from '../settings/node-types.ts';

const NOTHING_HERE = '{"error":"There is no agent at this path.","code":"not_found"}';

/**
 * Passes the requests of `node:http`, or of a framework that is built on it, to a handler. The body must not have been
 * read: such a request gets a 500 that says so, and the agent logs it.
 * @throws ConfigurationError for anything but a function.
 *
 * @example
 * app.use('/a2a', toNodeListener(createInboundHandler(agent))); // Express, before express.json()
 */
export function toNodeListener(
  handler: InboundHandler,
): (incoming: NodeRequest, outgoing: NodeResponse) => Promise<void> {
  checkHandler('handler', handler);
  return (incoming, outgoing) => respondTo(incoming, outgoing, handler);
}

/** @throws ConfigurationError naming the option. */
export function checkHandler(option: string, handler: unknown): void {
  if (typeof handler === 'function') return;
  throw new ConfigurationError(`${option} must be a function from Request to Response.`, {
    hint: 'For an agent it is what createInboundHandler(agent) returns.',
  });
}

const LEFT = new Error('The caller has closed the connection.');

/** Lets a handler respond to a request of Node. Resolves when the response is written or the connection closed; never rejects. */
export async function respondTo(
  given: NodeRequest,
  response: NodeResponse,
  handler: InboundHandler | undefined,
): Promise<void> {
  const [incoming, outgoing] = [given as IncomingMessage, response as ServerResponse];
  if (outgoing.destroyed) return;
  const request = new ReceivedRequest(incoming);
  const isOver = new Promise<void>((resolve) => {
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) request.left();
      resolve();
    });
  });
  try {
    const problem = problemOf(incoming);
    if (problem !== null) {
      refuseRequest(outgoing, problem);
    } else if (handler === undefined) {
      outgoing.writeHead(404, { 'content-type': 'application/json' }).end(NOTHING_HERE);
    } else {
      const serve = serveOf(handler);
      const { status, headers, body } =
        serve === undefined ? await callHandler(handler, incoming, request.signal) : await serve(request);
      if (outgoing.destroyed) return;
      const isWhole = typeof body === 'string' || body instanceof Uint8Array;
      const length = isWhole && body.length > 0 ? { 'content-length': Buffer.byteLength(body) } : {};
      // Of a body that was refused the rest is not read.
      const rest = incoming.complete ? {} : { connection: 'close' };
      outgoing.writeHead(status, { ...length, ...headers, ...rest });
      if (isWhole) outgoing.end(body);
      // No faster than the caller reads; when the caller has gone, the body is canceled.
      else await pipeline(Readable.fromWeb(body as ReadableStream), outgoing);
    }
  } catch {
    outgoing.destroy();
  }
  await isOver;
}

let waiting: (() => void)[] = [];

/** Requests that are complete in one turn of the event loop go on together: they share what they write, and the processor has their code. */
function atEndOfTurn(goOn: () => void): void {
  if (waiting.push(goOn) > 1) return;
  setImmediate(() => {
    const all = waiting;
    waiting = [];
    for (const each of all) each();
  });
}

/** A request of Node without the standard `Request` around it. It is its own headers. */
class ReceivedRequest implements ServedRequest {
  readonly method: string;
  readonly url: string;
  readonly isBodyRead: boolean;
  readonly #incoming: IncomingMessage;
  #hasLeft = false;
  /** Made when it is asked for. */
  #abort: AbortController | undefined;
  #rejectRead: ((reason: Error) => void) | undefined;

  constructor(incoming: IncomingMessage) {
    const { method = 'GET', url = '/', readableDidRead } = incoming;
    this.method = method;
    this.url = url;
    this.isBodyRead = readableDidRead;
    this.#incoming = incoming;
  }

  get headers(): Pick<Headers, 'get'> {
    return this;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#hasLeft) this.#abort.abort(LEFT);
    return this.#abort.signal;
  }

  /** All values of a header, as `Headers` joins them; `incoming.headers` has only the first of some. */
  get(name: string): string | null {
    const { rawHeaders } = this.#incoming;
    let found: string | null = null;
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const { [at]: key = '', [at + 1]: value = '' } = rawHeaders;
      if (key.length !== name.length || key.toLowerCase() !== name) continue;
      found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }

  /** The caller has closed the connection. */
  left(): void {
    this.#hasLeft = true;
    this.#abort?.abort(LEFT);
    this.#rejectRead?.(LEFT);
  }

  readBytes(maxBytes: number): Promise<Uint8Array | null> {
    const incoming = this.#incoming;
    return new Promise((resolve, reject) => {
      if (this.#hasLeft || incoming.destroyed) reject(LEFT);
      this.#rejectRead = reject;
      const chunks: Uint8Array[] = [];
      let size = 0;
      const onData = (chunk: Uint8Array): void => {
        size += chunk.byteLength;
        chunks.push(chunk);
        if (size <= maxBytes) return;
        incoming.off('data', onData).pause();
        resolve(null);
      };
      incoming.on('data', onData);
      incoming.once('end', () => atEndOfTurn(() => resolve(joinBytes(chunks, size))));
    });
  }
}

async function callHandler(
  handler: InboundHandler,
  incoming: IncomingMessage,
  signal: AbortSignal,
): Promise<Omit<ServedResponse, 'body'> & { body: ServedResponse['body'] | Uint8Array | ReadableStream }> {
  if (incoming.readableDidRead) return BODY_READ;
  const response = await handler(toRequest(incoming, signal));
  const { status, body } = response;
  const headers = Object.fromEntries(response.headers);
  if (body !== null && headers['content-type']?.startsWith('text/event-stream') === true) {
    return { status, headers, body: body as ReadableStream };
  }
  return { status, headers, body: new Uint8Array(await response.arrayBuffer()) };
}

const REFUSALS = {
  400: { error: 'The path or a header is not valid, or there is no Host.', code: 'invalid_request' },
  405: { error: 'Messages are sent by POST.', code: 'method_not_allowed' },
  417: { error: 'Only the expectation 100-continue is met.', code: 'invalid_request' },
} as const;

/** Responds to a request that no handler gets, and closes the connection. */
export function refuseRequest(response: NodeResponse, status: keyof typeof REFUSALS): void {
  const outgoing = response as ServerResponse;
  const allow = status === 405 ? { allow: 'GET, HEAD, POST' } : {};
  const headers = { 'content-type': 'application/json', connection: 'close', ...allow };
  outgoing.writeHead(status, headers).end(JSON.stringify(REFUSALS[status]));
}

/** Methods that a `Request` cannot have. */
const NOT_REQUESTS: ReadonlySet<string> = new Set(['TRACE', 'TRACK', 'CONNECT']);

/** What is wrong with a request, as far as a `Request` could not be made of it. */
function problemOf({
  headers,
  httpVersionMinor,
  method = 'GET',
  url = '/',
}: IncomingMessage): 400 | 405 | null {
  if (NOT_REQUESTS.has(method)) return 405;
  if (headers.host === undefined && httpVersionMinor > 0) return 400;
  const isPlainPath = /^\/(?!\/)/.test(url);
  return isPlainPath || URL.canParse(url, 'http://agent.invalid') ? null : 400;
}

/** @throws TypeError for headers that are not those of a request. */
function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const { method = 'GET', url = '/', rawHeaders } = incoming;
  const headers = new Headers();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '');
  }
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(new URL(url, 'http://agent.invalid'), {
    method,
    headers,
    signal,
    ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' } : {}),
  });
}
