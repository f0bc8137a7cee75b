import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HumanMessage } from '@langchain/core/messages';
import { RunnableLambda } from '@langchain/core/runnables';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import { MemorySaver } from '@langchain/langgraph';
import {
  createRemoteAgent,
  type HandlerContext,
  type InboundMessage,
  type MessageHandler,
  messageForModel,
  RemoteAgentClient,
  silentLogger,
} from '@molecule-ai/core';
import { scriptedPeer, temporaryState } from '@molecule-ai/core/testing';
import { peerTools, runTool } from '@molecule-ai/core/tools';
import { createLangChainHandler, createPeerTools } from '@molecule-ai/langchain';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { createAgent } from 'langchain';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { median } from './statistics.ts';

const OVERHEAD_TARGET_MS = 0.1;
const CALLS_PER_ROUND = 400;
const WARM_UP_CALLS = 300;

/** One of two ways to do the same. */
type Contender = () => Promise<unknown>;

/**
 * Measures what the adapter for LangChain adds: to a tool call over the tool of core, to a handled message over a handler that calls the same
 * runnable by hand, to an import over that of the framework and core, and to what is installed.
 */
export async function benchAdapters({ rounds, starts }: BenchmarkOptions): Promise<Figure[]> {
  return [...(await measureCalls(rounds)), ...measureImports(starts), ...measureWeight()];
}

async function measureCalls(rounds: number): Promise<Figure[]> {
  await using platform = await createTestPlatform();
  await using peer = await scriptedPeer(platform, { answer: '990 of 1000 tests pass.' });
  using state = temporaryState();
  const workspace = await platform.createWorkspace('agent');
  const client = new RemoteAgentClient({ ...platform, ...workspace, ...state, logger: silentLogger });
  const figures: Figure[] = [];
  const agent = createRemoteAgent<RemoteAgentClient>({
    client,
    // All is measured while a message is handled: with a message and a context of a real run.
    onMessage: async (message, context) => {
      const reply = await client.callPeer(peer.id, 'How are the tests?');
      // Answered from memory: what is left is the cost of the tool.
      Object.defineProperty(client, 'callPeer', { value: () => Promise.resolve(reply) });
      figures.push(await compare('tool call', rounds, ...toolCalls(client, peer.id)));
      for (const [name, ours, byHand] of handlers())
        figures.push(
          await compare(
            name,
            rounds,
            onNewMessages(byHand, message, context),
            onNewMessages(ours, message, context),
          ),
        );
      return 'done';
    },
  });
  await agent.start();
  const asked = peer.client.callPeer(workspace.workspaceId, 'Measure.', { timeoutMs: 600_000 });
  const { text } = await platform.clock.advanceUntilSettled(asked);
  await platform.clock.advanceUntilSettled(agent.stop());
  await client.close();
  if (text !== 'done') throw new Error(`The agent answered ${text}.`);
  return figures;
}

function toolCalls(client: RemoteAgentClient, peerId: string): [bare: Contender, ours: Contender] {
  const args = { peer_id: peerId, text: 'How are the tests?' };
  const [definition] = peerTools(client, { only: ['call_peer'] });
  const [tool] = createPeerTools(client, { only: ['call_peer'] });
  const call = { type: 'tool_call', id: 'call_1', name: 'call_peer', args } as const;
  return [() => runTool(definition, args, { callId: 'call_1' }), () => tool.invoke(call)];
}

/** Handlers of the adapter, each with what one writes without it. */
function handlers(): [name: string, ours: MessageHandler, byHand: MessageHandler][] {
  const runnable = RunnableLambda.from(([message]: HumanMessage[]) => message?.text ?? '');
  const model = new FakeListChatModel({ responses: ['done'] });
  const plain = createAgent({ model, tools: [] });
  const saving = createAgent({ model, tools: [], checkpointer: new MemorySaver() });
  const human = (message: InboundMessage) =>
    new HumanMessage({ id: message.id, content: messageForModel(message) });
  const configOf = ({ conversationId }: InboundMessage, { signal }: HandlerContext) => {
    return { signal, configurable: { thread_id: conversationId } };
  };
  const agentByHand =
    (agent: typeof plain | typeof saving): MessageHandler =>
    async (message, context) => {
      const { messages } = await agent.invoke({ messages: [human(message)] }, configOf(message, context));
      return messages.at(-1)?.text;
    };
  const savingByHand = agentByHand(saving);
  const readingByHand: MessageHandler = async (message, context) => {
    await saving.graph.getState(configOf(message, context));
    return savingByHand(message, context);
  };
  return [
    [
      'message, a runnable',
      createLangChainHandler(runnable),
      (message, { signal }) => runnable.invoke([human(message)], { signal }),
    ],
    ['message, an agent', createLangChainHandler(plain), agentByHand(plain)],
    ['message, an agent with a checkpointer', createLangChainHandler(saving), savingByHand],
    ['the same, by hand with a read of the thread', createLangChainHandler(saving), readingByHand],
  ];
}

/** Each call is another message of another conversation. */
function onNewMessages(handler: MessageHandler, message: InboundMessage, context: HandlerContext): Contender {
  return async () => {
    const id = crypto.randomUUID();
    return handler({ ...message, id, conversationId: id }, context);
  };
}

/** Alternates the two call by call, because what else the machine does takes more than what is measured; medians count. */
async function compare(name: string, rounds: number, bare: Contender, ours: Contender): Promise<Figure> {
  const times: { bareMs: number; oursMs: number }[] = [];
  for (let call = 0; call < WARM_UP_CALLS + rounds * CALLS_PER_ROUND; call += 1) {
    const bareMs = await timeOf(bare);
    const oursMs = await timeOf(ours);
    if (call >= WARM_UP_CALLS) times.push({ bareMs, oursMs });
  }
  const before = median(times.map(({ bareMs }) => bareMs));
  const after = median(times.map(({ oursMs }) => oursMs));
  const more = median(times.map(({ bareMs, oursMs }) => oursMs - bareMs));
  return {
    name: `langchain, ${name}`,
    value: `${more.toFixed(3)} ms more (${after.toFixed(3)} : ${before.toFixed(3)} ms, ${(after / before).toFixed(1)} times)`,
    target: `at most ${OVERHEAD_TARGET_MS} ms more`,
    met: more <= OVERHEAD_TARGET_MS,
  };
}

async function timeOf(contender: Contender): Promise<number> {
  const start = performance.now();
  await contender();
  return performance.now() - start;
}

function measureImports(starts: number): Figure[] {
  const core = `import '@molecule-ai/core';`;
  const framework = `${core} import 'langchain';`;
  const scripts = {
    'import of core/tools over core': [core, `${core} import '@molecule-ai/core/tools';`],
    'import of langchain over core and the framework': [
      framework,
      `${framework} import '@molecule-ai/langchain';`,
    ],
  } as const;
  return Object.entries(scripts).map(([name, [without, both]]) => {
    const times = Array.from({ length: starts }, () => ({
      bareMs: timeNode(without),
      oursMs: timeNode(both),
    }));
    const before = median(times.map(({ bareMs }) => bareMs));
    const after = median(times.map(({ oursMs }) => oursMs));
    const more = median(times.map(({ bareMs, oursMs }) => oursMs - bareMs));
    const value = `${more.toFixed(0)} ms more (${after.toFixed(0)} : ${before.toFixed(0)} ms, ${(after / before).toFixed(2)} times)`;
    return { name, value };
  });
}

/** Runs a script in a Node process and returns its run time, in milliseconds. */
function timeNode(script: string): number {
  const start = performance.now();
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: import.meta.dirname });
  return performance.now() - start;
}

/** What the packed package takes, installed and as an archive. */
function measureWeight(): Figure[] {
  const folder = fileURLToPath(new URL('.', import.meta.resolve('@molecule-ai/langchain/package.json')));
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ size, unpackedSize }] = JSON.parse(output);
  const kB = (bytes: number) => `${(bytes / 1_000).toFixed(0)} kB`;
  return [
    {
      name: 'install weight of langchain',
      value: `${kB(unpackedSize)} in files, ${kB(size)} packed, no dependency`,
    },
  ];
}
