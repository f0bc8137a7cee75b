import type { JSONSchema } from '@langchain/core/utils/json_schema';
import { MemorySaver } from '@langchain/langgraph';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { scriptedPeer, temporaryState } from '@molecule-ai/core/testing';
import { createLangChainHandler, peersMiddleware } from '@molecule-ai/langchain';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { createAgent, humanInTheLoopMiddleware, tool } from 'langchain';
import { z } from 'zod';
import { ScriptedModel } from './scripted-model.js';

const schema: unknown = z.object({ version: z.string().describe('The version') });

/** A tool of the application, with a schema of its own zod: the compiler finds LangChain's types for that of zod 3.25 too deep. */
const ship = tool((input) => `Shipped ${JSON.stringify(input)}.`, {
  name: 'ship',
  description: 'Ships a version.',
  schema: schema as JSONSchema,
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
    'It is shipped.',
  ]);
  const handler = createLangChainHandler(
    createAgent({
      model,
      tools: [ship],
      middleware: [peersMiddleware(client), humanInTheLoopMiddleware({ interruptOn: { ship: true } })],
      checkpointer: new MemorySaver(),
    }),
  );
  const agent = createRemoteAgent({ client, onMessage: handler });
  await agent.start();

  const operator = new OperatorClient(platform);
  const sent = operator.sendMessage(workspace.workspaceId, 'Ship 4.2.');
  const asked = await clock.advanceUntilSettled(sent);
  const promptsBefore = model.prompts.length;
  for (const { id } of asked.questions)
    await operator.answerQuestion(workspace.workspaceId, id, { decision: 'approve' });
  const waiting = operator.waitForAnswer(workspace.workspaceId, asked.messageId);
  const { text } = await clock.advanceUntilSettled(waiting);

  const { prompts, tools } = model;
  const { status, questions } = asked;
  const report = { asked: status, questions: questions.length, promptsBefore, text, prompts, tools };
  process.stdout.write(JSON.stringify(report));
  await agent.stop();
  await peer.stop();
  await Promise.all([client.close(), operator.close()]);
  await platform.close();
}

void main();
