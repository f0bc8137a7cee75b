import { boundaryMiddleware, createAiSdkHandler, createPeerTools } from '@molecule-ai/ai-sdk';
import { createRemoteAgent, RemoteAgentClient, wrapA2aBoundary } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { scriptedPeer, temporaryState } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { ToolLoopAgent, tool, wrapLanguageModel } from 'ai';
import { z } from 'zod';
import { ScriptedModel } from './scripted-model.js';

/** A tool of the application, with a schema of its own zod. */
const ship = tool({
  description: 'Ships a version.',
  inputSchema: z.object({ version: z.string().describe('The version') }),
  needsApproval: true,
  execute: async ({ version }) => `Shipped ${version}.`,
});

async function main(): Promise<void> {
  const platform = await createTestPlatform();
  const { clock } = platform;
  const peer = await scriptedPeer(platform, { name: 'lab', answer: '990 of 1000 tests pass.' });
  const workspace = await platform.createWorkspace('lead');
  const client = new RemoteAgentClient({ ...platform, ...workspace, ...temporaryState() });
  const model = new ScriptedModel([
    { name: 'call_peer', args: { peer_id: peer.id, text: 'Can we ship?' } },
    { name: 'ship', args: { version: '4.2' } },
    `It is ${wrapA2aBoundary('shipped')}.`,
    'As I said.',
  ]);
  const handler = createAiSdkHandler(
    new ToolLoopAgent({
      model: wrapLanguageModel({ model, middleware: boundaryMiddleware() }),
      tools: { ...createPeerTools(client), ship },
    }),
  );
  const agent = createRemoteAgent({ client, onMessage: handler });
  await agent.start();

  const operator = new OperatorClient(platform);
  const contextId = crypto.randomUUID();
  const sent = operator.sendMessage(workspace.workspaceId, 'Ship 4.2.', { contextId });
  const asked = await clock.advanceUntilSettled(sent);
  const promptsBefore = model.prompts.length;
  for (const { id } of asked.questions)
    await operator.answerQuestion(workspace.workspaceId, id, { decision: 'approve' });
  const waiting = operator.waitForAnswer(workspace.workspaceId, asked.messageId);
  const { text } = await clock.advanceUntilSettled(waiting);

  const stream = operator.streamMessage(workspace.workspaceId, 'And now?', { contextId });
  const streamed = (await clock.advanceUntilSettled(stream.reply())).text;

  // Version 6 would ignore it, and run the tool.
  let toolApproval = 'accepted';
  try {
    createAiSdkHandler({ model, toolApproval: () => 'user-approval' } as never);
  } catch (error) {
    toolApproval = String((error as Error).message);
  }
  const { prompts, tools } = model;
  const { status, questions } = asked;
  const report = {
    asked: status,
    questions: questions.length,
    promptsBefore,
    text,
    streamed,
    toolApproval,
    prompts,
    tools,
  };
  process.stdout.write(JSON.stringify(report));
  await agent.stop();
  await peer.stop();
  await Promise.all([client.close(), operator.close()]);
  await platform.close();
}

void main();
