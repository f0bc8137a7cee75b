import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { type BenchmarkPlatform, startPlatform } from './servers/start-platform.ts';
import { agentEnvironment, type StartedProcess, startProcess } from './servers/start-process.ts';
import { compareThroughput, type Throughput } from './throughput.ts';

const CALLERS = 16;
const QUESTION = 'How far is the moon?';
const ANSWER = 'the answer of the peer';

/**
 * Compares `A2AServer` with a server of `node:http` that only parses and answers, with one that also flushes each request to
 * disk, and with the server of the A2A SDK. Each is a process and gets messages by undici. Ours verifies the tokens that the
 * platform gave to 16 callers and keeps its log of messages on disk.
 */
export async function benchPushServer(options: BenchmarkOptions): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const platform = await startPlatform('normal');
  const { agent, tokens } = await startAgent(platform);
  const bare = await startProcess('agent-server');
  const flushing = await startProcess('agent-server', [join(folder, 'requests.jsonl')]);
  const sdk = await startProcess('a2a-sdk-agent');
  const senders = [
    new Sender('A2AServer', agent, tokens, messageOf),
    new Sender('node:http', bare, tokens, messageOf),
    new Sender('node:http with a flush', flushing, tokens, messageOf),
    new Sender('A2A SDK 1.3', sdk, tokens, messageOfVersion1),
  ];
  try {
    const figures: Figure[] = [];
    for (const inFlight of [1, 16, 64]) {
      figures.push(...figuresOf(await compareThroughput(senders, { inFlight, ...options }), inFlight));
    }
    return figures;
  } finally {
    for (const sender of senders) await sender.close();
    await platform.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function figuresOf(measured: readonly Throughput[], inFlight: number): Figure[] {
  const [ours, bare, flushing, sdk] = measured;
  if (ours === undefined || bare === undefined || flushing === undefined || sdk === undefined) {
    throw new Error('no measurement');
  }
  const rate = ({ perSecond }: Throughput) => `${Math.round(perSecond)}/s`;
  const at = `${inFlight} in flight`;
  const shown = (of: Throughput) =>
    of === ours ? `${rate(of)} with tokens verified and messages on disk,` : rate(of);
  const against = (other: Throughput, aim?: number): Figure =>
    ratioFigure(`push server : ${other.name}, ${at}`, ours, other, aim, shown);
  return [
    against(flushing, 0.6),
    against(sdk, inFlight === 64 ? 1 : undefined),
    against(bare),
    {
      name: `push server, p99, ${at}`,
      value: `${ours.p99Ms.toFixed(2)} ms (${bare.p99Ms.toFixed(2)} ms node:http, ${flushing.p99Ms.toFixed(2)} ms with a flush, ${sdk.p99Ms.toFixed(2)} ms the A2A SDK)`,
    },
  ];
}

/** Starts an agent, and gets a token for it for each of several peers. */
async function startAgent(platform: BenchmarkPlatform) {
  const target = await platform.join('target', undefined, { isRegistered: false });
  const agent = await startProcess('push-agent', [], agentEnvironment(target, platform.url));
  const tokens: string[] = [];
  for (let index = 0; index < CALLERS; index += 1) {
    const { id, token } = await platform.join(`caller ${index}`);
    const response = await fetch(`${platform.url}/registry/discover/${target.id}`, {
      headers: { authorization: `Bearer ${token}`, 'x-workspace-id': id },
    });
    const { peer_token } = (await response.json()) as { peer_token?: string };
    if (peer_token === undefined) throw new Error(`no peer token: HTTP ${response.status}`);
    tokens.push(peer_token);
  }
  return { agent, tokens };
}

type Request = (messageId: string) => object;

/** Sends messages to one server, each with the token of the next caller. */
class Sender {
  readonly name: string;
  readonly #server: StartedProcess;
  readonly #pool: Pool;
  readonly #headers: readonly Readonly<Record<string, string>>[];
  readonly #request: Request;
  #next = 0;

  constructor(name: string, server: StartedProcess, tokens: readonly string[], request: Request) {
    this.name = name;
    this.#server = server;
    this.#pool = new Pool(server.url, { connections: 64 });
    this.#headers = tokens.map((token) => ({
      'content-type': 'application/json',
      'a2a-version': request === messageOfVersion1 ? '1.0' : '0.3',
      authorization: `Bearer ${token}`,
    }));
    this.#request = request;
  }

  readonly run = async (): Promise<void> => {
    this.#next = (this.#next + 1) % this.#headers.length;
    const response = await this.#pool.request({
      method: 'POST',
      path: '/',
      headers: this.#headers[this.#next] ?? {},
      body: JSON.stringify(this.#request(crypto.randomUUID())),
    });
    const { result } = (await response.body.json()) as { result?: Answer & { message?: Answer } };
    const [part] = (result?.message ?? result)?.parts ?? [];
    if (part?.text !== ANSWER) throw new Error(`${this.name}: HTTP ${response.statusCode}, no answer`);
  };

  async close(): Promise<void> {
    await this.#pool.close();
    await this.#server.close();
  }
}

interface Answer {
  readonly parts?: readonly { readonly text?: string }[];
}

function messageOf(messageId: string): object {
  const parts = [{ kind: 'text', text: QUESTION }];
  const message = { kind: 'message', role: 'user', messageId, parts };
  return { jsonrpc: '2.0', id: messageId, method: 'message/send', params: { message } };
}

function messageOfVersion1(messageId: string): object {
  const message = { messageId, role: 'ROLE_USER', parts: [{ text: QUESTION }] };
  return { jsonrpc: '2.0', id: messageId, method: 'SendMessage', params: { message } };
}
