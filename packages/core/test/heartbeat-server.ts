import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** A heartbeat as the server got it. */
export interface SeenHeartbeat {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The response to requests of one workspace. */
export interface HeartbeatResponse {
  readonly status: number;
  readonly body: unknown;
}

interface Reply {
  readonly asked: number;
  readonly seen: readonly SeenHeartbeat[];
}

const ONLINE: HeartbeatResponse = {
  status: 200,
  body: { status: 'ok', workspace_status: 'online', paused: false },
};
/** More than any test has workspaces. */
const SLOTS = 64;

/** As text: a thread that a test blocks cannot load modules for another one. */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const counters = new Int32Array(workerData.counters);
const slots = new Map();
const responses = new Map();
const seen = new Map();
const count = (name) => {
  const slot = slots.get(name);
  if (slot === undefined) return;
  Atomics.add(counters, slot, 1);
  Atomics.notify(counters, slot);
};
const server = require('node:http').createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const id = request.headers['x-workspace-id'];
    const { status, body: answer } = responses.get(id) ?? workerData.respond;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    if (!request.url.endsWith('/heartbeat')) return;
    const body = JSON.parse(Buffer.concat(chunks));
    seen.set(id, [...(seen.get(id) ?? []), { headers: request.headers, body }]);
    count(id);
    if (body.runtime_state === 'wedged') count(id + ' wedged');
    parentPort.postMessage('heartbeat');
  });
});
parentPort.on('message', ({ asked, watch, respond, id }) => {
  if (watch !== undefined) slots.set(watch.name, watch.slot);
  if (respond !== undefined) responses.set(id, respond);
  parentPort.postMessage({ asked, seen: seen.get(id) ?? [] });
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage({ port: server.address().port }));
`;

/** A platform in a thread of its own, which goes on while the thread of the test is blocked. */
export class HeartbeatServer {
  readonly url: string;
  readonly #worker: Worker;
  readonly #counters: Int32Array<SharedArrayBuffer>;
  readonly #slots = new Map<string, number>();
  #asked = 0;

  private constructor(url: string, worker: Worker, counters: Int32Array<SharedArrayBuffer>) {
    this.url = url;
    this.#worker = worker;
    this.#counters = counters;
  }

  static async start(): Promise<HeartbeatServer> {
    const counters = new SharedArrayBuffer(4 * SLOTS);
    const worker = new Worker(PROGRAM, { eval: true, workerData: { counters, respond: ONLINE } });
    const [{ port }] = (await once(worker, 'message')) as [{ port: number }];
    worker.setMaxListeners(0);
    return new HeartbeatServer(`http://127.0.0.1:${port}`, worker, new Int32Array(counters));
  }

  /** Counts the heartbeats of a workspace from now on, and those as wedged. */
  async watch(id: string): Promise<void> {
    for (const name of [id, `${id} wedged`]) {
      const slot = this.#slots.size;
      this.#slots.set(name, slot);
      await this.#ask(id, { watch: { name, slot } });
    }
  }

  /** How many heartbeats of a workspace have come since it is watched. */
  count(id: string): number {
    return Atomics.load(this.#counters, this.#slotOf(id));
  }

  /** Blocks the event loop of this thread until so many more heartbeats have come of each workspace, or of each `<id> wedged`. */
  blockUntil(more: Readonly<Record<string, number>>): void {
    const targets = Object.entries(more).map(([name, count]) => {
      const slot = this.#slotOf(name);
      return { name, slot, target: Atomics.load(this.#counters, slot) + count };
    });
    for (const { name, slot, target } of targets) {
      for (let count = 0; count < target; ) {
        count = Atomics.load(this.#counters, slot);
        if (count < target && Atomics.wait(this.#counters, slot, count, 60_000) === 'timed-out')
          throw new Error(`${count} of ${target} heartbeats of ${name} came.`);
      }
    }
  }

  /** Resolves when `more` heartbeats of a workspace have come. */
  async received(id: string, more: number): Promise<void> {
    const target = this.count(id) + more;
    while (this.count(id) < target) await once(this.#worker, 'message');
  }

  /** All heartbeats of a workspace so far. */
  async seen(id: string): Promise<readonly SeenHeartbeat[]> {
    return this.#ask(id, {});
  }

  /** Responds to a workspace like this from now on. */
  async respond(id: string, response: HeartbeatResponse): Promise<void> {
    await this.#ask(id, { respond: response });
  }

  #slotOf(name: string): number {
    const slot = this.#slots.get(name);
    if (slot === undefined) throw new Error(`${name} is not watched.`);
    return slot;
  }

  async #ask(id: string, message: object): Promise<readonly SeenHeartbeat[]> {
    this.#asked += 1;
    const asked = this.#asked;
    this.#worker.postMessage({ asked, id, ...message });
    for (;;) {
      const [reply] = (await once(this.#worker, 'message')) as [Partial<Reply>];
      if (reply.asked === asked) return reply.seen ?? [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
