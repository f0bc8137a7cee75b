import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ConnectProxyOptions {
  /** The addresses of hosts that no name server knows. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** `user:password` that each request must have. @default none needed */
  readonly credentials?: string;
  /** Makes it an https proxy. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A request to the proxy. */
export interface ProxyRequest {
  /** CONNECT, or that of a request to pass on, which this proxy refuses. */
  readonly method: string;
  /** Host and port for CONNECT, else the URL. */
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
}

/** Connects; never responds; or responds with this status. */
export type ProxyReaction = 'connect' | 'hang' | number;

/** An HTTP proxy as offices have them: it connects to what CONNECT names, and passes on bytes. */
export class ConnectProxy {
  readonly requests: ProxyRequest[] = [];
  /** Tunnels that are open now. */
  open = 0;
  /** What the reaction to the next requests is. */
  reaction: ProxyReaction = 'connect';
  readonly #options: ConnectProxyOptions;
  readonly #sockets = new Set<Socket>();
  readonly #passed: Buffer[] = [];
  #server: Server;
  #port = 0;

  private constructor(options: ConnectProxyOptions) {
    this.#options = options;
    this.#server = this.#create();
  }

  static async start(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(options);
    await proxy.#listen();
    return proxy;
  }

  get url(): string {
    return this.#options.tls === undefined ? `http://${this.host}` : `https://localhost:${this.#port}`;
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** All bytes that went from clients to servers. */
  get passed(): string {
    return Buffer.concat(this.#passed).toString('latin1');
  }

  get targets(): readonly string[] {
    return this.requests.map(({ target }) => target);
  }

  /** Breaks all connections and listens no more. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  /** On the same port, after `stop`. */
  async startAgain(): Promise<void> {
    this.#server = this.#create();
    await this.#listen();
  }

  async #listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  #create(): Server {
    const { tls } = this.#options;
    const refuse: RequestListener = (request, response) => {
      this.#note(request);
      response.writeHead(405).end();
    };
    const server = tls === undefined ? createServer(refuse) : createTlsServer(tls, refuse);
    server.on('connection', (socket: Socket) => this.#keep(socket));
    server.on('connect', (request: IncomingMessage, socket: Duplex) => this.#connect(request, socket));
    return server;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #note({ method = '', url = '', headers }: IncomingMessage): void {
    this.requests.push({ method, target: url, headers });
  }

  #connect(request: IncomingMessage, client: Duplex): void {
    this.#note(request);
    const { hosts = {}, credentials } = this.#options;
    client.on('error', () => {});
    if (this.reaction === 'hang') return;
    const expected = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    if (expected !== undefined && request.headers['proxy-authorization'] !== expected) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n');
      return;
    }
    if (this.reaction !== 'connect') {
      client.end(`HTTP/1.1 ${this.reaction} No\r\ncontent-type: text/html\r\n\r\n<h1>No</h1>`);
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const server = connect(Number(port || 80), hosts[hostname] ?? hostname.replace(/^\[(.*)\]$/, '$1'));
    this.#keep(server);
    server.on('connect', () => {
      this.open += 1;
      server.on('close', () => {
        this.open -= 1;
      });
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.on('data', (chunk: Buffer) => this.#passed.push(chunk));
      client.pipe(server).pipe(client);
    });
    server.on('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    server.on('close', () => client.destroy());
    client.on('close', () => server.destroy());
  }
}
