import { createRemoteAgent, MemoryInboundStore, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { expect, test } from 'vitest';

test('answers pushed messages', async () => {
  await using platform = await createTestPlatform();
  const workspace = await platform.createWorkspace('pushed');
  const reportedUrl = 'https://agent.test/a2a';
  const client = new RemoteAgentClient({ ...platform, ...workspace, reportedUrl, logger: silentLogger });
  const store = new MemoryInboundStore();
  const agent = createRemoteAgent({ client, store, delivery: 'push', onMessage: () => 'Hello!' });
  const operator = new OperatorClient(platform);
  // #region serve
  platform.serve('https://agent.test', createInboundHandler(agent)); // or the fetch of your own server
  await agent.start();
  const reply = await operator.sendMessage(workspace.workspaceId, 'hello');
  expect(reply.text).toBe('Hello!');
  // #endregion serve
  await agent.stop();
  await Promise.all([client.close(), operator.close()]);
});
