import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts';
import { createRemoteAgent, RemoteAgentClient, wrapA2aBoundary } from '@molecule-ai/core';
import { scriptedPeer } from '@molecule-ai/core/testing';
import {
  createLangChainHandler,
  createPeerRunnable,
  createPeerTools,
  type PeerToolMessage,
  StripBoundaryOutputParser,
} from '@molecule-ai/langchain';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { ScriptedModel } from './scripted-model.js';

async function main(): Promise<void> {
  const platform = await createTestPlatform();
  const { clock } = platform;
  const peer = await scriptedPeer(platform, { answer: 'Ours are good.' });
  const workspace = await platform.createWorkspace('lab');
  const client = new RemoteAgentClient({ ...platform, ...workspace });
  const model = new ScriptedModel([`It says ${wrapA2aBoundary('990 of 1000')}.`]);
  const tools = createPeerTools(client, { only: ['call_peer', 'list_peers'] });
  const chain = ChatPromptTemplate.fromMessages([new MessagesPlaceholder('messages')])
    .pipe(model.bindTools(tools))
    .pipe(new StripBoundaryOutputParser());
  const onMessage = createLangChainHandler(chain, { input: (human) => ({ messages: [human] }) });
  const agent = createRemoteAgent({ client, onMessage });
  await agent.start();

  // The peer is asked by a tool, and asks the agent.
  const [callPeer] = createPeerTools(peer.client, { only: ['call_peer'] });
  const asked = callPeer.invoke({ peer_id: workspace.workspaceId, text: 'How are the numbers?' });
  const { status, content, artifact }: PeerToolMessage = await clock.advanceUntilSettled(asked);

  const lab = createPeerRunnable(client, peer.id).pipe((message) => message.content);
  const piped: string = await clock.advanceUntilSettled(lab.invoke('And yours?'));

  const { prompts, tools: offered } = model;
  process.stdout.write(JSON.stringify({ status, content, artifact, piped, prompts, tools: offered }));
  await agent.stop();
  await peer.stop();
  await client.close();
  await platform.close();
}

void main();
