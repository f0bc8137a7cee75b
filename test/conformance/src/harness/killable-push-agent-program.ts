// The program of `killable-push-agent.ts`: an agent with a server that kills its own process at one point, once.
import { appendFileSync } from 'node:fs';
import {
  A2AServer,
  createRemoteAgent,
  FileInboundStore,
  type InboundStore,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';

const { CRASH_AT = '', CRASH_ON = '', DELIVERY, EFFECTS = '', AGENT_PORT } = process.env;
const log = (event: string, facts: object = {}) =>
  void process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);

async function crash(point: string, text = CRASH_ON): Promise<void> {
  if (point !== CRASH_AT || text !== CRASH_ON) return;
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => {});
}

/** Ends the process when a line with this step of the chosen message is written, its end when it is flushed. */
class CrashingStore implements InboundStore {
  readonly #inner: FileInboundStore;
  #unflushed: readonly string[] = [];

  constructor(inner: FileInboundStore) {
    this.#inner = inner;
  }

  load(): Promise<readonly string[]> {
    return this.#inner.load();
  }

  async append(lines: readonly string[]): Promise<void> {
    await this.#inner.append(lines);
    await this.#stored(lines);
  }

  write(lines: readonly string[]): void {
    this.#inner.write(lines);
    this.#unflushed = [...this.#unflushed, ...lines];
    void this.#stored(lines.filter((line) => line.includes('"arrived"')));
  }

  async flush(): Promise<void> {
    const lines = this.#unflushed;
    this.#unflushed = [];
    await this.#inner.flush();
    await this.#stored(lines);
  }

  async replace(lines: readonly string[]): Promise<void> {
    await this.#inner.replace(lines);
    await this.#stored(lines);
  }

  async #stored(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      if (!line.includes(CRASH_ON)) continue;
      const { arrived, ended } = JSON.parse(line) as Record<string, unknown>;
      if (arrived !== undefined) await crash('arrived');
      if (ended !== undefined) await crash('kept-end');
    }
  }
}

/** The effect of the handler with its record. A kill between the two repeats the effect, which `once` cannot prevent. */
let effect: Promise<unknown> = Promise.resolve();

const client = new RemoteAgentClient();
const port = clientPort(client);
const { register } = port;
port.register = async (options) => {
  const registration = await register(options);
  await effect;
  await crash(`register-${registration.deliveryMode}`);
  return registration;
};
const agent = createRemoteAgent({
  client,
  delivery: DELIVERY === 'auto' ? 'auto' : 'push',
  presence: { reconnectSpreadMs: 1_000 },
  store: new CrashingStore(new FileInboundStore(port.stateDirectory)),
  onMessage: async ({ text }, { once, attempt, stream }) => {
    log('handling', { text, attempt });
    await crash('began', text);
    effect = once('effect', () => appendFileSync(EFFECTS, `${text}\n`));
    await effect;
    await crash('handler', text);
    await stream('echo: ');
    // The test kills it when the text has left.
    if (CRASH_AT === 'streamed' && text === CRASH_ON) await new Promise(() => {});
    return text;
  },
});
const server = new A2AServer({ agent, port: Number(AGENT_PORT) });
await server.start();
await agent.start();
log('online');
