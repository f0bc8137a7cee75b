import { awaitAllCallbacks } from '@langchain/core/callbacks/promises';
import {
  type BaseMessage,
  HumanMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
} from '@langchain/core/messages';
import { RunnableLambda, RunnableMap } from '@langchain/core/runnables';
import { tool } from '@langchain/core/tools';
import { interrupt, MemorySaver } from '@langchain/langgraph';
import {
  createLangChainHandler,
  createPeerRunnable,
  createPeerTools,
  peerMessageHistory,
  peersMiddleware,
} from '@molecule-ai/langchain';
import { type AgentMiddleware, createAgent, humanInTheLoopMiddleware } from 'langchain';
import type { AdapterDriver, AgentSetup, OwnTool } from './adapter-driver.ts';
import { LangChainModel } from './langchain-model.ts';

const PAGES = 'LangChain has no messages of pages; its own are stored-messages';
const EDITED =
  'results are recognised by tool and artifact: what can write messages of a thread is trusted as the application is';

/** Agents of LangChain with the middleware for peers, and LangGraph's checkpoints as memory. */
export const langchainDriver: AdapterDriver = {
  name: 'langchain',
  without: {
    'provider-queued-error': 'every end is a value: provider-queued',
    'ui-storage': PAGES,
    'ui-storage-edited': PAGES,
    'older-chat': PAGES,
    'preliminary-results': 'tools report progress as events: progress',
    middleware: 'its middleware fences the results of tools: other-tool',
    'edited-result': EDITED,
    'edited-memory': EDITED,
  },
  createMemory: () => new MemorySaver(),
  restoreMemory: (memory) => restored(memory as MemorySaver),
  createHandler: (setup) => createLangChainHandler(agentOf(setup), { config: progressTo(setup.onProgress) }),
  runAgent: async (setup, text, { threadId, signal }) => {
    const config = { ...configOf(setup, threadId), ...(signal === undefined ? {} : { signal }) };
    const { messages } = await agentOf(setup).invoke({ messages: [new HumanMessage(text)] }, config);
    return messages.at(-1)?.text ?? '';
  },
  runStored: async (setup, text, { threadId }) => {
    const { values } = await agentOf(setup).graph.getState(configOf(setup, threadId));
    const stored = JSON.stringify(mapChatMessagesToStoredMessages(values.messages));
    const messages = mapStoredMessagesToChatMessages(JSON.parse(stored));
    const memory = new MemorySaver();
    await agentOf({ ...setup, memory }).invoke(
      { messages: [...messages, new HumanMessage(text)] },
      configOf(setup, threadId),
    );
  },
  runTool: async ({ client, name, args, timeoutMs, callId = '', runId, threadId, signal, onProgress }) => {
    const [peerTool] = createPeerTools(client, { only: [name], timeoutMs });
    const call = { type: 'tool_call' as const, id: callId, name, args };
    const message = await (peerTool as AnyTool).invoke(call, {
      ...(signal === undefined ? {} : { signal }),
      configurable: { thread_id: threadId, run_id: runId },
      ...progressTo(onProgress),
    });
    // Those of events go on in the background.
    if (onProgress !== undefined) await awaitAllCallbacks();
    return { text: message.content, isError: message.status === 'error', data: message.artifact };
  },
  askProvider: async ({
    client,
    peerId,
    text,
    isStreamed,
    isRetried,
    passedOn,
    model,
    timeoutMs,
    signal,
  }) => {
    const peer = createPeerRunnable(client, peerId, { timeoutMs });
    const asked = isRetried ? peer.withRetry() : peer;
    const asMessage = RunnableLambda.from((message: BaseMessage) => [message]).pipe(
      new LangChainModel(model),
    );
    const asText = RunnableLambda.from((message: BaseMessage) => [new HumanMessage(message.text)]);
    const both = RunnableMap.from({ asMessage, asText: asText.pipe(new LangChainModel(model)) });
    const chain = passedOn === 'both' ? asked.pipe(both) : asked.pipe(asMessage);
    const config = signal === undefined ? {} : { signal };
    if (!isStreamed) await chain.invoke(text, config);
    else for await (const _chunk of await chain.stream(text, config));
  },
  promptHistory: async ({ client, conversationId, model }) => {
    const messages = await peerMessageHistory(client, { conversationId }).getMessages();
    await new LangChainModel(model).invoke(messages);
  },
};

interface AnyTool {
  invoke(
    call: object,
    config: object,
  ): Promise<{ readonly content: string; readonly status: string; readonly artifact: unknown }>;
}

function agentOf({ client, model, memory, only, timeoutMs, ownTools = [] }: AgentSetup) {
  const reviewed = ownTools
    .filter(({ needsApproval }) => needsApproval === true)
    .map(({ name }) => [name, true]);
  const middleware: AgentMiddleware[] = [
    peersMiddleware(client, { ...(only === undefined ? {} : { only }), timeoutMs }),
  ];
  if (reviewed.length > 0) {
    // Its types do not fit where `exactOptionalPropertyTypes` is on.
    const review = humanInTheLoopMiddleware as unknown as (options: object) => AgentMiddleware;
    middleware.push(review({ interruptOn: Object.fromEntries(reviewed) }));
  }
  return createAgent({
    model: new LangChainModel(model),
    tools: ownTools.map(asTool),
    middleware,
    checkpointer: memory as MemorySaver,
  });
}

function configOf({ onProgress }: AgentSetup, threadId: string) {
  return { configurable: { thread_id: threadId }, ...progressTo(onProgress) };
}

/** The config by which the events of tools are read. */
function progressTo(onProgress: ((text: string) => void) | undefined) {
  if (onProgress === undefined) return {};
  const handleCustomEvent = (_name: string, event: { readonly text: string }) => onProgress(event.text);
  return { callbacks: [{ handleCustomEvent }] };
}

function asTool({ name, asks, run }: OwnTool) {
  const work = async () => run(asks === undefined ? '' : interrupt(asks));
  return tool(work, { name, description: `The ${name} tool.`, schema: { type: 'object', properties: {} } });
}

/** Checkpoints as a database has them: bytes, here as base64 in JSON. */
function restored({ storage, writes }: MemorySaver): MemorySaver {
  const memory = new MemorySaver();
  memory.storage = throughJson(storage);
  memory.writes = throughJson(writes);
  return memory;
}

function throughJson<Value>(value: Value): Value {
  const text = JSON.stringify(value, (_key, item) => {
    return item instanceof Uint8Array ? { base64: Buffer.from(item).toString('base64') } : item;
  });
  return JSON.parse(text, (_key, item) => {
    return typeof item?.base64 === 'string' ? new Uint8Array(Buffer.from(item.base64, 'base64')) : item;
  });
}
