import {
  createRemoteAgent,
  MemoryInboundStore,
  MemoryTokenStore,
  type RemoteAgent,
  type RemoteAgentClient,
  silentLogger,
} from '@molecule-ai/core';
import { expect, vi } from 'vitest';
import { onboard } from '../harness/members.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

vi.setConfig({ testTimeout: 120_000 });

const AGENTS = 1_000;
const AT_ONCE = 32;

/** Runs `work` for each number below `count`, some at the same time. */
async function forEach(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Starts agents in this process on a platform in another one. */
async function startAgents(
  environment: TestEnvironment,
  count: number,
  limits: { maxHeldReads?: number } = {},
) {
  const platform = await environment.platformProcess({ environment: { MOLECULE_CONTRACT_CHECK: 'off' } });
  const operator = environment.operator(platform);
  const agents: RemoteAgent[] = [];
  const ids: string[] = [];
  await forEach(count, async (index) => {
    const { id, authToken } = await operator.createWorkspace({ name: `agent ${index}` });
    const client: RemoteAgentClient = environment.client(
      platform,
      { id, token: authToken ?? '' },
      { storage: { tokenStore: new MemoryTokenStore() }, logger: silentLogger, limits },
    );
    const agent = createRemoteAgent({
      client,
      store: new MemoryInboundStore(),
      onMessage: ({ text }) => `${index}: ${text}`,
    });
    environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
    await agent.start();
    agents[index] = agent;
    ids[index] = id;
  });
  return { platform, operator, agents, ids };
}

onEachDatabase('many agents in one process', { onDisk: true }, (environment) => {
  verifies('agent.thousand-in-one-process', 'thousand in one process', async () => {
    const { operator, agents, ids } = await startAgents(environment, AGENTS);
    expect(agents.every((agent) => agent.health().ok)).toBe(true);
    const statuses = (await operator.listWorkspaces()).map(({ status }) => status);
    expect(statuses.filter((status) => status === 'online')).toHaveLength(AGENTS);
    await forEach(AGENTS, async (index) => {
      const reply = await operator.sendMessage(ids[index] ?? '', 'hello');
      expect(reply.text).toBe(`${index}: hello`);
    });
    await forEach(AGENTS, async (index) => agents[index]?.stop());
    expect(agents.every(({ state }) => state === 'stopped')).toBe(true);
  });

  verifies('agent.thousand-in-one-process', 'held reads in turn', async () => {
    const { operator, agents, ids } = await startAgents(environment, 12, { maxHeldReads: 3 });
    const tookMs: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      await Promise.all(
        ids.map(async (id, index) => {
          const startedAt = performance.now();
          const reply = await operator.sendMessage(id, `round ${round}`);
          expect(reply.text).toBe(`${index}: round ${round}`);
          tookMs.push(performance.now() - startedAt);
        }),
      );
    }
    expect(tookMs).toHaveLength(24);
    expect(agents.every((agent) => agent.health().ok)).toBe(true);
    await Promise.all(agents.map((agent) => agent.stop()));
  });
});

onEachDatabase('an agent with many calls at the same time', { onDisk: true }, (environment) => {
  verifies('presence.calls-delay-nothing', async () => {
    const platform = await environment.platform();
    // Registered, and reads nothing.
    const slow = await onboard(platform, { name: 'slow' });
    const client = environment.client(platform, await onboard(platform), {
      limits: { maxConnections: 2 },
      logger: silentLogger,
    });
    const agent = createRemoteAgent({
      client,
      delivery: 'long-poll',
      onMessage: ({ text }) => `got ${text}`,
    });
    environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
    await agent.start();
    const abort = new AbortController();
    const { signal } = abort;
    const calls = Array.from({ length: 6 }, (_, index) =>
      client.callPeer(slow.id, 'hello', { signal, messageId: `call-${index}` }),
    );
    let ended = 0;
    const all = Promise.allSettled(calls.map((call) => call.finally(() => (ended += 1))));
    const reply = await environment.operator(platform).sendMessage(client.workspaceId, 'a question');
    expect(reply.text).toBe('got a question');
    expect(await client.heartbeat()).toMatchObject({ workspaceStatus: 'online' });
    expect(ended).toBe(0);
    expect(await client.cancelTask('call-0')).toMatchObject({ status: 'canceled' });
    abort.abort();
    await all;
  });
});
