import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** A heartbeat as the server got it. */
export interface SeenHeartbeat {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The response to the heartbeats that follow. */
export interface HeartbeatResponse {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const ONLINE = { status: 'ok', workspace_status: 'online', paused: false };

/** As text: a thread that a test blocks cannot load modules for another one. */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const counter = new Int32Array(workerData.counter);
const seen = [];
let respond = workerData.respond;
const server = require('node:http').createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const isHeartbeat = request.url.endsWith('/heartbeat');
    if (isHeartbeat) seen.push({ path: request.url, headers: request.headers, body: JSON.parse(Buffer.concat(chunks)) });
    const { status, headers, body } = respond;
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    if (!isHeartbeat) return;
    Atomics.add(counter, 0, 1);
    Atomics.notify(counter, 0);
    parentPort.postMessage('heartbeat');
  });
});
parentPort.on('message', (message) => {
  if (message.respond) respond = message.respond;
  parentPort.postMessage({ seen });
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage({ port: server.address().port }));
`;

/** A platform in a thread of its own, which goes on while the thread of the test is blocked. */
export class HeartbeatServer {
  readonly url: string;
  readonly #worker: Worker;
  readonly #counter: Int32Array<SharedArrayBuffer>;

  private constructor(url: string, worker: Worker, counter: Int32Array<SharedArrayBuffer>) {
    this.url = url;
    this.#worker = worker;
    this.#counter = counter;
  }

  static async start(): Promise<HeartbeatServer> {
    const counter = new SharedArrayBuffer(4);
    const respond: HeartbeatResponse = { status: 200, body: ONLINE };
    const worker = new Worker(PROGRAM, { eval: true, workerData: { counter, respond } });
    const [{ port }] = (await once(worker, 'message')) as [{ port: number }];
    return new HeartbeatServer(`http://127.0.0.1:${port}`, worker, new Int32Array(counter));
  }

  get count(): number {
    return Atomics.load(this.#counter, 0);
  }

  /** Blocks the event loop of this thread until `more` heartbeats have come. */
  blockUntil(more: number): void {
    this.#wait(this.count + more, 60_000);
  }

  /** Blocks the event loop of this thread for a time, in milliseconds, whatever comes. */
  block(ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  }

  /** Resolves when `more` heartbeats have come. */
  async received(more: number): Promise<void> {
    const target = this.count + more;
    while (this.count < target) await once(this.#worker, 'message');
  }

  #wait(target: number, timeoutMs: number): void {
    for (let count = this.count; count < target; count = this.count) {
      if (Atomics.wait(this.#counter, 0, count, timeoutMs) === 'timed-out')
        throw new Error(`${count} of ${target} heartbeats came.`);
    }
  }

  /** All heartbeats so far. */
  async seen(): Promise<readonly SeenHeartbeat[]> {
    return this.#ask({});
  }

  async respond(response: HeartbeatResponse): Promise<void> {
    await this.#ask({ respond: response });
  }

  async #ask(message: object): Promise<readonly SeenHeartbeat[]> {
    this.#worker.postMessage(message);
    for (;;) {
      const [reply] = (await once(this.#worker, 'message')) as [{ seen: readonly SeenHeartbeat[] } | string];
      if (typeof reply === 'object') return reply.seen;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
