import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { ConfigurationError, MoleculeError } from '../errors/molecule-error.ts';
import { checkInboundAgent, type InboundAgent } from '../inbound-http/inbound-agent.ts';
import {
  createInboundHandler,
  type InboundHandler,
  InboundHandlerShape,
} from '../inbound-http/inbound-handler.ts';
import type { TlsOptions } from '../settings/node-types.ts';
import {
  checkNumber,
  given,
  number,
  type OptionsOf,
  option,
  optionsSchema,
  parseOptions,
  type SettingsOf,
} from '../settings/options.ts';
import { checkHandler, refuseRequest, respondTo } from './node-exchange.ts';

const DEFAULT_STOP_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
const CHECK_TIMEOUTS_EVERY_MS = 5_000;
const MAX_HEADER_BYTES = 16 * 1_024;
const UNKNOWN_HOST = "The name in host does not resolve: use '127.0.0.1', or '0.0.0.0' for all addresses.";
const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another program uses the port: choose another one, or 0 for a free one.',
  EACCES:
    'Ports below 1024 need a permission: choose a higher one behind a reverse proxy, or 0 for a free one.',
  EADDRNOTAVAIL:
    "host is not an address of this machine: use '127.0.0.1', or '0.0.0.0' for all its addresses.",
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
};
/** Requests of one connection that have no response yet. They are handled one after the other. */
const MAX_PIPELINED = 16;

class A2AServerShape extends InboundHandlerShape {
  /** The agent that is served on every path. Give either this, `agents` or `handler`. */
  agent = given<InboundAgent>();
  /** Several agents by the first segment of the path, such as their workspace ids. Any letter case. */
  agents = given<Readonly<Record<string, InboundAgent>>>();
  /** A handler of your own for every path. */
  handler = given<InboundHandler>();
  /** 0 takes a free one. */
  port = option<number>((value, refuse) =>
    checkNumber(value, { min: 0, max: 65_535, isInteger: true }, refuse),
  );
  /** @default '127.0.0.1': this machine only */
  host = given<string>();
  /** `key` and `cert` or `pfx`, and what else `node:tls` takes: serves https. */
  tls = given<TlsOptions>();
  /** @default 1_024 */
  maxConnections = number({ min: 1, max: 1_000_000, isInteger: true, byDefault: 1_024 });
  /** How long a client may take to send a request, in milliseconds. @default 30_000 */
  requestTimeoutMs = number({ min: 1, byDefault: 30_000 });
}

export interface A2AServerOptions extends OptionsOf<A2AServerShape> {
  port: number;
}

const SERVER = optionsSchema(new A2AServerShape());

/** The requests of a connection that have no response yet, and the latest one with what is done for it and those before. */
interface Pipeline {
  length: number;
  request: IncomingMessage;
  last: Promise<void>;
}

/**
 * Serves one or several agents on a port of their own. Slow clients are disconnected: headers have 10 s, a request
 * `requestTimeoutMs`. An agent with the delivery `auto` whose server starts or stops is probed at once.
 * An agent that runs in a program with a server already mounts `createInboundHandler(agent)` there instead.
 *
 * @example
 * const server = new A2AServer({ agent, port: 9000 });
 * await server.start();
 * await agent.start();
 */
export class A2AServer {
  readonly #options: SettingsOf<A2AServerShape>;
  readonly #handlers: ReadonlyMap<string, InboundHandler>;
  /** By connection. */
  readonly #pipelines = new Map<Socket, Pipeline>();
  #server: Server | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /** @throws ConfigurationError naming the option. */
  constructor(options: A2AServerOptions) {
    this.#options = parseOptions('A2AServer', SERVER, options);
    this.#handlers = handlersOf(options);
    if (options.tls !== undefined) checkTls(options.tls);
  }

  /** Where it listens, without trailing slash. @throws MoleculeError `invalid_argument` before `start()`. */
  get url(): string {
    const address = this.#server?.address();
    if (address === null || address === undefined || typeof address === 'string') {
      throw new MoleculeError('The server is not started.', { code: 'invalid_argument' });
    }
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${hostOf(address)}:${address.port}`;
  }

  /**
   * Listens, again after `stop()`. Further calls return the same promise; after a failed start they try once more.
   * @throws MoleculeError `connection_failed` when the port cannot be used.
   */
  start(): Promise<void> {
    const stopped = this.#stopping;
    if (this.#starting !== undefined && stopped === undefined) return this.#starting;
    this.#stopping = undefined;
    const starting = stopped === undefined ? this.#listen() : stopped.then(() => this.#listen());
    this.#starting = starting;
    starting.catch(() => {
      if (this.#starting === starting) this.#starting = undefined;
    });
    return starting;
  }

  /**
   * Takes no more connections, closes those whose request is not complete, waits for the other requests, and closes all. An agent that is stopped
   * before gives them their responses. Never rejects; further calls return the same promise, until `start()`.
   */
  stop({ timeoutMs = DEFAULT_STOP_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#stopping ??= this.#close(timeoutMs);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #listen(): Promise<void> {
    const { host = '127.0.0.1', port, tls, maxConnections, requestTimeoutMs: requestTimeout } = this.#options;
    const limits = {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeout),
      requestTimeout,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      connectionsCheckingInterval: Math.min(CHECK_TIMEOUTS_EVERY_MS, requestTimeout),
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
    };
    const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
      this.#onRequest(request, response);
    // Loaded here, because the first import of these modules also loads Node's own fetch.
    const server =
      tls === undefined
        ? process.getBuiltinModule('node:http').createServer(limits, onRequest)
        : process
            .getBuiltinModule('node:https')
            .createServer({ ...limits, ...(tls as SecureContextOptions) }, onRequest);
    server.maxConnections = maxConnections;
    server.on('checkExpectation', (_request, response: ServerResponse) => refuseRequest(response, 417));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      // Stays: an error that nobody listens for, such as too many open files later, ends the process.
      server.on('error', (cause: NodeJS.ErrnoException) => {
        const hint = LISTEN_HINTS[cause.code ?? ''] ?? 'Check host and port.';
        const text = `The server cannot listen on ${host}:${port}.`;
        reject(new MoleculeError(text, { code: 'connection_failed', hint, cause }));
      });
      server.listen(port, host, resolve);
    });
    this.#reportChange();
  }

  #reportChange(): void {
    const { agent, agents = {} } = this.#options;
    for (const served of agent === undefined ? Object.values(agents) : [agent])
      served.inbound.serverChanged();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { socket, url = '/' } = request;
    if (socket.destroyed) return;
    let pipeline = this.#pipelines.get(socket);
    if (pipeline === undefined) {
      pipeline = { length: 0, request, last: Promise.resolve() };
      this.#pipelines.set(socket, pipeline);
      socket.once('close', () => this.#pipelines.delete(socket));
    }
    if (pipeline.length >= MAX_PIPELINED) {
      socket.destroy();
      return;
    }
    const handler = this.#handlers.get('') ?? this.#handlers.get(firstSegment(url));
    const respond = (): Promise<void> => respondTo(request, response, handler);
    const exchange = pipeline.length === 0 ? respond() : pipeline.last.then(respond);
    pipeline.length += 1;
    pipeline.request = request;
    pipeline.last = exchange.then(() => {
      pipeline.length -= 1;
    });
  }

  async #close(timeoutMs: number): Promise<void> {
    await this.#starting?.catch(() => {});
    const server = this.#server;
    if (server === undefined || !server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    this.#reportChange();
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, timeoutMs);
    // A request that is not here as a whole was not accepted.
    const pipelines = [...this.#pipelines.values()];
    for (const { request } of pipelines) if (!request.complete) request.socket.destroy();
    await Promise.race([Promise.all(pipelines.map(({ last }) => last)), limit.promise]);
    clearTimeout(timer);
    server.closeAllConnections();
    await closed;
  }
}

function firstSegment(path: string): string {
  return (/^\/([^/?#]*)/.exec(path)?.[1] ?? '').toLowerCase();
}

function hostOf({ address, family }: AddressInfo): string {
  const host = address === '0.0.0.0' || address === '::' ? 'localhost' : address;
  return family === 'IPv6' && host === address ? `[${address}]` : host;
}

/**
 * The handlers by the first segment of the path; `''` serves every path.
 * @throws ConfigurationError naming the option.
 */
function handlersOf(options: A2AServerOptions): ReadonlyMap<string, InboundHandler> {
  const { agent, agents, handler, maxConcurrentRequests, holdSeconds } = options;
  const served = { maxConcurrentRequests, holdSeconds };
  if ([agent, agents, handler].filter((given) => given !== undefined).length !== 1) {
    throw new ConfigurationError('A2AServer needs exactly one of agent, agents and handler.');
  }
  if (handler !== undefined) {
    checkHandler('handler', handler);
    return new Map([['', handler]]);
  }
  if (agent !== undefined) return new Map([['', createInboundHandler(agent, served)]]);
  const entries = typeof agents === 'object' && agents !== null ? Object.entries(agents) : [];
  if (entries.length === 0 || entries.some(([segment]) => !/^[\w.~-]+$/.test(segment))) {
    throw new ConfigurationError(
      'agents must name at least one agent, each by one segment of a path without special characters.',
    );
  }
  for (const [segment, each] of entries) checkInboundAgent(`agents.${segment}`, each);
  return new Map(
    entries.map(([segment, each]) => [segment.toLowerCase(), createInboundHandler(each, served)]),
  );
}

/** Without this, a server without a valid certificate would listen, and each connection would fail. */
function checkTls(tls: TlsOptions): void {
  const hint = 'Give key and cert in PEM format, or pfx, with their passphrase if they have one.';
  const given = typeof tls === 'object' && tls !== null ? tls : {};
  if (given.pfx === undefined && (given.key === undefined || given.cert === undefined)) {
    throw new ConfigurationError('tls needs key and cert, or pfx.', { hint });
  }
  try {
    process.getBuiltinModule('node:tls').createSecureContext(given as SecureContextOptions);
  } catch (cause) {
    throw new ConfigurationError('tls is not valid: the key and the certificate cannot be used.', {
      hint,
      cause,
    });
  }
}
