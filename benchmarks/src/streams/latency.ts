import type { CallPeerOptions } from '@molecule-ai/core';
import { Pool } from 'undici';
import type { Figure } from '../figure.ts';
import type { BenchmarkOptions } from '../options.ts';
import { type DeltaPlan, DeltaReader } from '../servers/deltas.ts';
import { startProcess } from '../servers/start-process.ts';
import { quantile } from '../statistics.ts';
import { type StreamPeers, startStreamPeers } from './stream-peers.ts';

const PLAN: DeltaPlan = { count: 20, length: 20, gapMs: 10 };
const WARM_UP = 3;
const SHARE_OF_STREAMS = 1 / 4;

/**
 * Measures the time from the production of a delta, in the process of the agent, until the loop of the reader has it; beside it, in
 * turns, a whole call on the same path and a request of undici to `node:http` over the same hops.
 */
export async function benchStreamLatency({ messages }: BenchmarkOptions): Promise<Figure[]> {
  const peers = await startStreamPeers('push', 'long-poll');
  const bare = await startProcess('agent-server');
  const proxy = await startProcess('reverse-proxy', [bare.url]);
  const [pushed = '', polling = ''] = peers.agentIds;
  const paths = [
    new Path('direct', { peers, peerId: pushed, bareUrl: bare.url }),
    new Path('platform and push', { peers, peerId: pushed, via: 'proxy', bareUrl: proxy.url }),
    new Path('platform and long-poll', { peers, peerId: polling, via: 'proxy', bareUrl: proxy.url }),
  ];
  try {
    const streams = Math.ceil(messages * SHARE_OF_STREAMS);
    for (let index = -WARM_UP; index < streams; index += 1) {
      for (const path of paths) await path.measure(index >= 0);
    }
    return paths.flatMap((path) => path.figures());
  } finally {
    for (const path of paths) await path.close();
    await proxy.close();
    await bare.close();
    await peers.close();
  }
}

interface PathOptions extends Pick<CallPeerOptions, 'via'> {
  readonly peers: StreamPeers;
  readonly peerId: string;
  /** Where undici sends the request of the same hops. */
  readonly bareUrl: string;
}

class Path {
  readonly #name: string;
  readonly #options: PathOptions;
  readonly #pool: Pool;
  readonly #first: number[] = [];
  readonly #next: number[] = [];
  readonly #calls: number[] = [];
  readonly #bare: number[] = [];

  constructor(name: string, options: PathOptions) {
    this.#name = name;
    this.#options = options;
    this.#pool = new Pool(options.bareUrl);
  }

  async measure(isCounted: boolean): Promise<void> {
    const [first, ...next] = await this.#stream();
    const callMs = await durationOf(() => this.#call());
    const bareMs = await durationOf(() => this.#request());
    if (!isCounted || first === undefined) return;
    this.#first.push(first);
    this.#next.push(...next);
    this.#calls.push(callMs);
    this.#bare.push(bareMs);
  }

  figures(): Figure[] {
    const roundTripMs = quantile(this.#calls, 0.5);
    const firstMs = quantile(this.#first, 0.5);
    return [
      {
        name: `first delta, ${this.#name}`,
        value: `${formatMs(this.#first)} (round trip ${formatMs(this.#calls)}, of undici ${formatMs(this.#bare)})`,
        target: `p50 at most ${roundTripMs.toFixed(2)} ms, one round trip`,
        met: firstMs <= roundTripMs,
      },
      { name: `other deltas, ${this.#name}`, value: formatMs(this.#next) },
    ];
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** The ages of the deltas of one stream. */
  async #stream(): Promise<number[]> {
    const { peers, peerId, via } = this.#options;
    const reader = new DeltaReader(PLAN.length);
    const ages: number[] = [];
    for await (const piece of peers.client.streamPeer(peerId, JSON.stringify(PLAN), { via })) {
      ages.push(...reader.read(piece));
    }
    if (ages.length !== PLAN.count) throw new Error(`${this.#name}: ${ages.length} deltas`);
    return ages;
  }

  async #call(): Promise<void> {
    const { peers, peerId, via } = this.#options;
    const reply = await peers.client.callPeer(peerId, 'ok?', { via });
    const path = via === 'proxy' ? 'proxy' : 'direct';
    if (reply.text !== 'ok' || reply.via !== path) throw new Error(`${this.#name}: ${reply.status}`);
  }

  async #request(): Promise<void> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: {} });
    const response = await this.#pool.request({ method: 'POST', path: '/', body });
    await response.body.json();
  }
}

async function durationOf(run: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

function formatMs(samples: readonly number[]): string {
  return `p50 ${quantile(samples, 0.5).toFixed(2)}, p99 ${quantile(samples, 0.99).toFixed(2)} ms`;
}
