import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRemoteAgent, MemoryInboundStore, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { createTestPlatform } from '@molecule-ai/platform/testing';

test('waits while it is paused', async () => {
  await using platform = await createTestPlatform();
  const workspace = await platform.createWorkspace('greeter');
  const client = new RemoteAgentClient({ ...platform, ...workspace, logger: silentLogger });
  const onMessage = () => 'Hello!';
  const agent = createRemoteAgent({ client, store: new MemoryInboundStore(), onPause: 'wait', onMessage });
  await agent.start();

  await platform.pause(workspace.workspaceId);
  await platform.clock.advance(60_000);
  assert.equal(agent.health().presence, 'paused');

  await platform.resume(workspace.workspaceId);
  await platform.clock.advance(60_000);
  assert.equal(await platform.statusOf(workspace.workspaceId), 'online');

  await agent.stop();
  await client.close();
});
