import {
  createRemoteAgent,
  MemoryInboundStore,
  type MessageHandler,
  RemoteAgentClient,
  silentLogger,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createTestPlatform, type TestPlatform } from '@molecule-ai/platform/testing';
import { expect, onTestFinished } from 'vitest';
import { verifies } from './verifies.ts';

const REGISTERED = Symbol.for('opentelemetry.js.api.1');

function fail(): never {
  throw new Error('of OpenTelemetry');
}

function contextHolding(getValue: () => unknown): () => unknown {
  const held = { getValue, setValue: () => held, deleteValue: () => held };
  return () => held;
}

const active = contextHolding(() => undefined);
const span = {
  spanContext: () => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }),
  setAttributes() {},
  addEvent() {},
  setStatus() {},
  end() {},
};
const trace = { getTracer: () => ({ startSpan: () => span }) };
type Run = () => unknown;
const BROKEN: Readonly<Record<string, unknown>> = {
  'active throws': { trace, context: { active: fail, with: (_: unknown, run: Run) => run() } },
  'getValue throws': {
    trace,
    context: { active: contextHolding(fail), with: (_: unknown, run: Run) => run() },
  },
  'with throws': { trace, context: { active, with: fail } },
  'with does not run': { trace, context: { active, with: () => undefined } },
  'with runs twice': { trace, context: { active, with: (_: unknown, run: Run) => [run(), run()] } },
  'with throws at its end': { trace, context: { active, with: (_: unknown, run: Run) => [run(), fail()] } },
  'everything is null': null,
};

async function startAgent(platform: TestPlatform, onMessage: MessageHandler) {
  const workspace = await platform.createWorkspace('agent');
  const client = new RemoteAgentClient({ ...platform, ...workspace, logger: silentLogger });
  const agent = createRemoteAgent({ client, store: new MemoryInboundStore(), onMessage });
  onTestFinished(async () => {
    const stopped = agent.stop();
    await platform.clock.advance(1_000);
    await stopped;
    await client.close();
  });
  await agent.start();
  return { client, agent, id: workspace.workspaceId };
}

verifies('tracing.failing-opentelemetry', async () => {
  for (const [name, api] of Object.entries(BROKEN)) {
    const platform = await createTestPlatform();
    onTestFinished(() => platform.close());
    const handled: string[] = [];
    const asked = await startAgent(platform, ({ text }) => {
      handled.push(text);
      return `echo: ${text}`;
    });
    const asking = await startAgent(platform, () => undefined);
    const operator = new OperatorClient(platform);
    onTestFinished(() => operator.close());
    Object.defineProperty(globalThis, REGISTERED, { value: api, configurable: true });
    onTestFinished(() => void Reflect.deleteProperty(globalThis, REGISTERED));
    const replies = [
      asking.client.callPeer(asked.id, 'of a peer'),
      operator.sendMessage(asked.id, 'of a person'),
    ];
    await platform.clock.advance(30_000);
    expect(
      (await Promise.all(replies)).map(({ status, text }) => [status, text]),
      name,
    ).toEqual([
      ['answered', 'echo: of a peer'],
      ['answered', 'echo: of a person'],
    ]);
    expect(handled.toSorted(), name).toEqual(['of a peer', 'of a person']);
    expect(asked.agent.health(), name).toMatchObject({
      state: 'running',
      presence: 'online',
      deadLetters: 0,
    });
  }
});
