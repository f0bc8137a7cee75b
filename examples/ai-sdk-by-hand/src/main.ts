/** An agent whose handler is an AI SDK agent, and a colleague that it asks, on a platform in this process. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteAgent, currentMessage, type MessageHandler, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { aiSdkHandler } from './handler.ts';
import { scriptedLanguageModel } from './scripted-language-model.ts';

const folder = await mkdtemp(join(tmpdir(), 'molecule-ai-sdk-'));
const platform = await createPlatform({ mode: 'dev', port: 0, memory: true });
const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });

/** Creates a workspace and starts its agent. */
async function start(name: string, handlerOf: (client: RemoteAgentClient) => MessageHandler) {
  const { id, authToken } = await operator.createWorkspace({ name });
  const client = new RemoteAgentClient({
    platformUrl: platform.url,
    workspaceId: id,
    authToken: authToken ?? undefined,
    stateDirectory: join(folder, name),
    agentCard: { name },
  });
  const agent = createRemoteAgent({ client, onMessage: handlerOf(client) });
  await agent.start();
  const stop = async () => {
    await agent.stop();
    await client.close();
  };
  return { id, stop };
}

const read: string[] = [];
const handledInTool: unknown[] = [];
const desk = await start('ops-desk', () => () => 'The error budget is at 77 %.');
const lab = await start('test-lab', (client) =>
  aiSdkHandler({
    client,
    model: scriptedLanguageModel(),
    instructions: 'You are the test lab.\nYou know: 990 of 1000 tests pass.',
    colleague: 'ops-desk',
    onReply: (reply) => {
      read.push(reply.forModel());
      handledInTool.push(currentMessage()?.source);
    },
  }),
);
try {
  const { text } = await operator.sendMessage(lab.id, 'Can we ship release 4.2?');
  assert.equal(text, '990 of 1000 tests pass. The error budget is at 77 %.');
  console.log('✓ the model asked its colleague through a tool, and answered with what both know');
  assert.match(read.join(), /^<peer-text-\w+ .*>\nThe error budget is at 77 %\.\n<\/peer-text-/);
  console.log('✓ it read the colleague’s text inside a fence');
  assert.deepEqual(handledInTool, ['canvas_user']);
  console.log('✓ its tool knew which message was handled, so calls in circles end by themselves');
} finally {
  await lab.stop();
  await desk.stop();
  await operator.close();
  await platform.close();
  await rm(folder, { recursive: true, force: true });
}
