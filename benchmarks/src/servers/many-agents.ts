// A process of its own for many agents: nothing else is in its memory. Started by `benchManyAgents`, and driven by messages.
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createRemoteAgent,
  MemoryInboundStore,
  MemoryTokenStore,
  type RemoteAgent,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { median } from '../statistics.ts';

const AT_ONCE = 16;
const CALLS = 50;

/** Starts so many agents more. The first one alone, because what it loads belongs to the process. */
export interface StartAgents {
  readonly platformUrl: string;
  readonly workspaces: readonly { readonly id: string; readonly token: string }[];
  /** Of the process, in all stages. */
  readonly maxHeldReads: number;
  /** Between the start and the measurement. */
  readonly idleMs: number;
}

/** In bytes. */
export interface Memory {
  readonly resident: number;
  /** What V8 has reserved for new objects, of the main thread. */
  readonly young: number;
  readonly heap: number;
}

export interface StartedAgents {
  readonly started: Memory;
  readonly idle: Memory;
  /** After a collection. */
  readonly collected: Memory;
  readonly agents: number;
  readonly healthy: number;
  /** Until the answer of one agent to another, in milliseconds. */
  readonly answerMs: number;
}

const clients: RemoteAgentClient[] = [];
const agents: RemoteAgent[] = [];

process.on('message', (message: StartAgents) => {
  void startAgents(message).then((started) => process.send?.(started));
});
process.on('disconnect', () => process.exit());

async function startAgents(options: StartAgents): Promise<StartedAgents> {
  const { workspaces, idleMs } = options;
  let next = 0;
  const worker = async () => {
    for (;;) {
      const workspace = workspaces[next++];
      if (workspace === undefined) return;
      await startAgent(options, workspace);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const started = memory();
  await pause(idleMs);
  const idle = memory();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round += 1) {
    collect();
    await pause(100);
  }
  const collected = memory();
  const healthy = agents.filter((agent) => agent.health().ok).length;
  return { started, idle, collected, agents: agents.length, healthy, answerMs: await answerMs() };
}

async function startAgent(
  { platformUrl, maxHeldReads }: StartAgents,
  { id, token }: StartAgents['workspaces'][number],
): Promise<void> {
  const client = new RemoteAgentClient({
    workspaceId: id,
    platformUrl,
    authToken: token,
    storage: { tokenStore: new MemoryTokenStore() },
    limits: { maxHeldReads },
  });
  const store = new MemoryInboundStore();
  const agent = createRemoteAgent({ client, store, onMessage: ({ text }) => text });
  await agent.start();
  clients.push(client);
  agents.push(agent);
}

async function answerMs(): Promise<number> {
  const took: number[] = [];
  for (const { workspaceId } of clients.slice(1, CALLS + 1)) {
    const startedAt = performance.now();
    await clients[0]?.callPeer(workspaceId, 'ping', { via: 'proxy' });
    took.push(performance.now() - startedAt);
  }
  return took.length === 0 ? 0 : median(took);
}

function memory(): Memory {
  const { rss, heapUsed } = process.memoryUsage();
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  return { resident: rss, young: young?.space_size ?? 0, heap: heapUsed };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
