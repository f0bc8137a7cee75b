import { boundaryMiddleware, createAiSdkHandler, createMolecule } from '@molecule-ai/ai-sdk';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { scriptedPeer } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import {
  APICallError,
  createProviderRegistry,
  generateText,
  type ModelMessage,
  NoSuchModelError,
  streamText,
  ToolLoopAgent,
  wrapLanguageModel,
} from 'ai';
import { ScriptedModel } from './scripted-model.js';

async function main(): Promise<void> {
  const platform = await createTestPlatform();
  const { clock } = platform;
  const peer = await scriptedPeer(platform, { answer: 'Ours are good.' });
  const workspace = await platform.createWorkspace('lab');
  const client = new RemoteAgentClient({ ...platform, ...workspace });
  const model = new ScriptedModel(['It says 990 of 1000.', 'Noted.']);
  const onMessage = createAiSdkHandler({ model, instructions: 'You are the lab.' });
  const agent = createRemoteAgent({ client, onMessage });
  await agent.start();
  const reply = await clock.advanceUntilSettled(
    peer.client.callPeer(workspace.workspaceId, 'How are the numbers?'),
  );

  const molecule = createMolecule({ client });
  const question: ModelMessage = { role: 'user', content: 'And yours?' };
  const call = generateText({ model: molecule(peer.id), messages: [question] });
  const { text, response, warnings } = await clock.advanceUntilSettled(call);

  const guarded = wrapLanguageModel({ model, middleware: boundaryMiddleware() });
  await generateText({ model: guarded, messages: [question, ...response.messages] });

  const { textStream } = streamText({ model: molecule(peer.id), prompt: 'And streamed?' });
  const streamed = await clock.advanceUntilSettled(collect(textStream));

  const registry = createProviderRegistry({ molecule });
  const registered = new ToolLoopAgent({ model: registry.languageModel(`molecule:${peer.id}`) });
  const run = registered.generate({ prompt: 'And by its name?' });
  const named = (await clock.advanceUntilSettled(run)).text;

  const stranger = generateText({
    model: molecule(crypto.randomUUID()),
    prompt: 'Who are you?',
    maxRetries: 0,
  });
  const refused = await clock.advanceUntilSettled(stranger.catch((error: unknown) => error));
  const report = {
    answer: reply.text,
    text,
    warnings,
    streamed,
    named,
    received: peer.received.map((message) => message.text),
    refused: APICallError.isInstance(refused) && !refused.isRetryable,
    missing: NoSuchModelError.isInstance(thrownBy(() => molecule.embeddingModel('any'))),
    prompts: model.prompts,
  };
  process.stdout.write(JSON.stringify(report));
  await agent.stop();
  await peer.stop();
  await client.close();
  await platform.close();
}

async function collect(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

void main();
