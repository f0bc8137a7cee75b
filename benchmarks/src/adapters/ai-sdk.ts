import {
  boundaryMiddleware,
  createAiSdkHandler,
  createMolecule,
  createPeerTools,
  MemoryConversationStore,
} from '@molecule-ai/ai-sdk';
import { type MessageHandler, messageForModel } from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';
import { type LanguageModel, type ModelMessage, ToolLoopAgent, wrapLanguageModel } from 'ai';
import { type Contender, type Handled, onNewMessages, type Pair } from './compare.ts';

type Model = Extract<LanguageModel, { readonly specificationVersion: 'v3' }>;

/**
 * A tool call over the tool of core, handled messages over a handler that calls the same agent by hand, and the first words of a peer
 * that is a model over those of `streamPeer`.
 */
export function aiSdkPairs(handled: Handled): readonly Pair[] {
  const { client, peerId } = handled;
  const args = { peer_id: peerId, text: 'How are the tests?' };
  const [definition] = peerTools(client, { only: ['call_peer'] });
  const agent = new ToolLoopAgent({ model: answering('done') });
  const guarded = new ToolLoopAgent({
    model: wrapLanguageModel({ model: answering('done'), middleware: boundaryMiddleware() }),
  });
  const handlers = [
    ['message, an agent', createAiSdkHandler(agent), byHand(agent)],
    ['message, an agent with the middleware', createAiSdkHandler(guarded), byHand(guarded)],
  ] as const;
  return [
    [
      'ai-sdk, tool call',
      () => definition.execute(args, { callId: 'call_1', onProgress: () => {} }),
      toolCall(handled, args, true),
    ],
    [
      'ai-sdk, tool call without progress',
      () => definition.execute(args, { callId: 'call_1' }),
      toolCall(handled, args, false),
    ],
    ...handlers.map(([name, ours, bare]): Pair => {
      return [`ai-sdk, ${name}`, onNewMessages(bare, handled), onNewMessages(ours, handled)];
    }),
    ['ai-sdk, first words of a peer model', () => firstWords(handled), firstDelta(handled)],
  ];
}

/** What the SDK does for each call: runs the tool to its end, and makes of its output what the model is given. */
function toolCall(
  { client }: Handled,
  args: { readonly peer_id: string; readonly text: string },
  progress: boolean,
): Contender {
  const { call_peer: tool } = createPeerTools(client, { only: ['call_peer'], progress });
  const messages: ModelMessage[] = [{ role: 'user', content: 'Ask.' }];
  return async () => {
    let output = await tool.execute?.(args, { toolCallId: 'call_1', messages, context: {} });
    if (output !== undefined && Symbol.asyncIterator in output) for await (output of output);
    return tool.toModelOutput?.({ toolCallId: 'call_1', input: args, output: output as never });
  };
}

/** With a store of its own, as one writes it without the adapter. */
function byHand(agent: ToolLoopAgent): MessageHandler {
  const store = new MemoryConversationStore();
  return async (message, { signal }) => {
    const history = (await store.load(message.conversationId)) ?? [];
    const messages: ModelMessage[] = [...history, { role: 'user', content: messageForModel(message) }];
    const { text, responseMessages } = await agent.generate({ messages, abortSignal: signal });
    await store.save(message.conversationId, [...messages, ...responseMessages]);
    return text;
  };
}

async function firstWords({ client, peerId }: Handled): Promise<void> {
  for await (const _words of client.streamPeer(peerId, 'How are the tests?')) break;
}

function firstDelta({ client, peerId }: Handled): Contender {
  const molecule = createMolecule({ client });
  return async () => {
    const text = 'How are the tests?';
    const { stream } = await molecule(peerId).doStream({
      prompt: [{ role: 'user', content: [{ type: 'text', text }] }],
    });
    for await (const part of stream) if (part.type === 'text-delta') break;
  };
}

function answering(text: string): Model {
  const tokens = { total: 1, noCache: undefined, cacheRead: undefined, cacheWrite: undefined };
  return {
    specificationVersion: 'v3',
    provider: 'scripted',
    modelId: 'scripted',
    supportedUrls: {},
    doGenerate: async () => ({
      content: [{ type: 'text', text }],
      finishReason: { unified: 'stop', raw: undefined },
      usage: { inputTokens: tokens, outputTokens: { total: 1, text: undefined, reasoning: undefined } },
      warnings: [],
    }),
    doStream: () => Promise.reject(new Error('Nobody reads a stream.')),
  };
}
