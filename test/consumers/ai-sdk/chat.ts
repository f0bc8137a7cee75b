import { boundaryMiddleware, createPeerTools } from '@molecule-ai/ai-sdk';
import { createChatRoute } from '@molecule-ai/ai-sdk/chat';
import { RemoteAgentClient } from '@molecule-ai/core';
import { scriptedPeer } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import {
  DefaultChatTransport,
  type InferUITools,
  isToolUIPart,
  readUIMessageStream,
  ToolLoopAgent,
  type UIDataTypes,
  type UIMessage,
  wrapLanguageModel,
} from 'ai';
import { ScriptedModel } from './scripted-model.js';

type Message = UIMessage<unknown, UIDataTypes, InferUITools<ReturnType<typeof createPeerTools>>>;

async function main(): Promise<void> {
  const platform = await createTestPlatform();
  const { clock } = platform;
  const peer = await scriptedPeer(platform, { answer: '990 of 1000 tests pass.' });
  const workspace = await platform.createWorkspace('page');
  const client = new RemoteAgentClient({ ...platform, ...workspace });
  const model = new ScriptedModel([
    { name: 'call_peer', args: { peer_id: peer.id, text: 'Can we ship?' } },
    'We can.',
  ]);
  const errors: string[] = [];
  const POST = createChatRoute({
    agent: new ToolLoopAgent({
      model: wrapLanguageModel({ model, middleware: boundaryMiddleware() }),
      tools: createPeerTools(client, { needsApproval: ['call_peer'] }),
    }),
    onError: (error) => errors.push(String(error)),
  });
  const transport = new DefaultChatTransport<Message>({
    api: 'http://page.test/api/chat',
    fetch: (url, init) => POST(new Request(url, init)),
  });

  /** One request of the page; returns the message that it shows. */
  const send = async (messages: Message[]): Promise<Message> => {
    const last = messages.at(-1);
    const stream = await transport.sendMessages({
      trigger: 'submit-message',
      chatId: 'chat-1',
      messageId: last?.id,
      messages,
      abortSignal: undefined,
    });
    let shown = last?.role === 'assistant' ? last : undefined;
    const states = readUIMessageStream<Message>({
      stream,
      ...(shown === undefined ? {} : { message: shown }),
    });
    for await (const message of states) shown = message;
    if (shown === undefined) throw new Error('The page got nothing.');
    // As a database has it.
    return JSON.parse(JSON.stringify(shown));
  };

  const question: Message = { id: 'question', role: 'user', parts: [{ type: 'text', text: 'Can we ship?' }] };
  const asked = await clock.advanceUntilSettled(send([question]));
  const before = peer.received.length;
  const states = asked.parts.filter(isToolUIPart).map(({ state }) => state);
  for (const part of asked.parts) {
    if (!isToolUIPart(part) || part.state !== 'approval-requested') continue;
    Object.assign(part, { state: 'approval-responded', approval: { ...part.approval, approved: true } });
  }
  const answered = await clock.advanceUntilSettled(send([question, asked]));

  const report = {
    states,
    before,
    received: peer.received.map(({ text }) => text),
    answer: answered.parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    results: answered.parts.map((part) =>
      part.type === 'tool-call_peer' && part.state === 'output-available' ? part.output.data : null,
    ),
    errors,
    prompts: model.prompts,
  };
  process.stdout.write(JSON.stringify(report));
  await peer.stop();
  await client.close();
  await platform.close();
}

void main();
