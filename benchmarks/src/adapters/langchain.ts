import { HumanMessage } from '@langchain/core/messages';
import { RunnableLambda } from '@langchain/core/runnables';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import { MemorySaver } from '@langchain/langgraph';
import {
  type HandlerContext,
  type InboundMessage,
  type MessageHandler,
  messageForModel,
} from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';
import { createLangChainHandler, createPeerTools } from '@molecule-ai/langchain';
import { createAgent } from 'langchain';
import { type Handled, onNewMessages, type Pair } from './compare.ts';

/** A tool call over the tool of core, and handled messages over handlers that call the same runnables by hand. */
export function langChainPairs(handled: Handled): readonly Pair[] {
  const { client, peerId } = handled;
  const args = { peer_id: peerId, text: 'How are the tests?' };
  const [definition] = peerTools(client, { only: ['call_peer'] });
  const [tool] = createPeerTools(client, { only: ['call_peer'] });
  const call = { type: 'tool_call', id: 'call_1', name: 'call_peer', args } as const;
  return [
    ['langchain, tool call', () => definition.execute(args, { callId: 'call_1' }), () => tool.invoke(call)],
    ...handlers().map(([name, ours, byHand]): Pair => {
      return [`langchain, ${name}`, onNewMessages(byHand, handled), onNewMessages(ours, handled)];
    }),
  ];
}

/** Handlers of the adapter, each with what one writes without it. */
function handlers(): readonly (readonly [name: string, ours: MessageHandler, byHand: MessageHandler])[] {
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
