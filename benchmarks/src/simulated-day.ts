import { createRemoteAgent, MemoryInboundStore, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { OperatorClient } from '@molecule-ai/core/operator';
import { temporaryState } from '@molecule-ai/core/testing';
import { createTestPlatform, type TestPlatform } from '@molecule-ai/platform/testing';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';

const HOUR = 3_600_000;
const DAY_HOURS = 24;
const MESSAGES_PER_DAY = 500;
const TARGET_SECONDS = 2;
const AGENT_URL = 'http://agent.test/a2a';

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/**
 * Measures a day on the clock of the test platform, of one agent with its heartbeats and 500 messages, against as many requests for
 * `/health` on the same path.
 */
export async function benchSimulatedDay({ simulatedHours }: BenchmarkOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const delivery of ['long-poll', 'push'] as const)
    figures.push(await simulate(delivery, simulatedHours));
  return figures;
}

async function simulate(delivery: 'long-poll' | 'push', hours: number): Promise<Figure> {
  await using platform = await createTestPlatform();
  using state = temporaryState();
  const { clock, dispatcher } = platform.connection;
  const isPush = delivery === 'push';
  const workspace = await platform.createWorkspace('agent', isPush ? { url: AGENT_URL } : {});
  const reported = isPush ? { reportedUrl: AGENT_URL } : {};
  const client = new RemoteAgentClient({
    ...platform,
    ...workspace,
    ...state,
    ...reported,
    logger: silentLogger,
  });
  const store = new MemoryInboundStore();
  const agent = createRemoteAgent({ client, store, delivery, onMessage: ({ text }) => `echo: ${text}` });
  if (isPush) platform.serve(AGENT_URL, createInboundHandler(agent));
  let requests = 0;
  const { dispatch } = dispatcher;
  dispatcher.dispatch = (options, handler) => {
    requests += 1;
    return dispatch.call(dispatcher, options, handler);
  };
  await agent.start();
  const operator = new OperatorClient(platform);
  const messages = Math.ceil((MESSAGES_PER_DAY * hours) / DAY_HOURS);
  requests = 0;
  const day = await measure(async () => {
    for (let sent = 0; sent < messages; sent += 1) {
      const reply = operator.sendMessage(workspace.workspaceId, 'hello');
      await clock.advance((hours * HOUR) / messages);
      const { status } = await reply;
      if (status !== 'answered') throw new Error(`Message ${sent} is ${status}.`);
    }
  });
  const ofDay = requests;
  const bare = await measure(() => requestHealth(platform, ofDay));
  await clock.advanceUntilSettled(agent.stop());
  await Promise.all([client.close(), operator.close()]);
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
  const wall = `${seconds(day.wallMs)}, ${seconds(day.cpuMs)} of CPU, for ${ofDay} requests and ${messages} messages`;
  const ratio = `${(day.cpuMs / bare.cpuMs).toFixed(1)} times the CPU of as many bare requests`;
  const target =
    hours < DAY_HOURS
      ? {}
      : { target: `under ${TARGET_SECONDS} s of CPU`, met: day.cpuMs < TARGET_SECONDS * 1_000 };
  return { name: `simulated ${hours} h, ${delivery}`, value: `${wall}; ${ratio}`, ...target };
}

async function requestHealth(platform: TestPlatform, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 1) await platform.request('GET', '/health');
}

async function measure(work: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - start, cpuMs: (user + system) / 1_000 };
}
