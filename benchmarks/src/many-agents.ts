import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createRemoteAgent,
  MemoryInboundStore,
  MemoryTokenStore,
  type RemoteAgent,
  RemoteAgentClient,
} from '@molecule-ai/core';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startPlatform } from './servers/start-platform.ts';
import { median } from './statistics.ts';

const AT_ONCE = 16;
const CALLS = 50;
const TARGET_KB = 100;
const KB = 1024;

/** Measures the memory of a process for each of many agents in it, and how long a message to one of them takes. */
export async function benchManyAgents({ agents: count }: BenchmarkOptions): Promise<Figure[]> {
  const platform = await startPlatform('normal');
  const clients: RemoteAgentClient[] = [];
  const agents: RemoteAgent[] = [];
  const start = async (index: number) => {
    const { id, token } = await platform.join(`agent ${index}`, undefined, { isRegistered: false });
    const client = new RemoteAgentClient({
      workspaceId: id,
      platformUrl: platform.url,
      authToken: token,
      tokenStore: new MemoryTokenStore(),
    });
    const store = new MemoryInboundStore();
    const agent = createRemoteAgent({ client, store, onMessage: ({ text }) => text });
    await agent.start();
    clients.push(client);
    agents.push(agent);
  };
  try {
    // What the first agent loads belongs to the process.
    await start(0);
    const before = await memory();
    await inParallel(count, (index) => start(index + 1));
    const after = await memory();
    const took: number[] = [];
    for (const { workspaceId } of clients.slice(1, CALLS + 1)) {
      const startedAt = performance.now();
      await clients[0]?.callPeer(workspaceId, 'ping', { via: 'proxy' });
      took.push(performance.now() - startedAt);
    }
    const rss = (after.rss - before.rss) / count / KB;
    const heap = (after.heapUsed - before.heapUsed) / count / KB;
    const ok = agents.filter((agent) => agent.health().ok).length;
    return [
      {
        name: `memory of an agent among ${count}`,
        value: `${rss.toFixed(0)} kB resident, ${heap.toFixed(0)} kB of live objects; ${ok} of ${agents.length} healthy; an answer in ${median(took).toFixed(1)} ms`,
        target: `at most ${TARGET_KB} kB resident`,
        met: rss <= TARGET_KB,
      },
    ];
  } finally {
    await inParallel(agents.length, async (index) => agents[index]?.stop({ timeoutMs: 0 }));
    await inParallel(clients.length, async (index) => clients[index]?.close());
    await platform.close();
  }
}

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** After a collection, when the connections of the start have been closed. */
async function memory(): Promise<NodeJS.MemoryUsage> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  for (let round = 0; round < 3; round += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return process.memoryUsage();
}
