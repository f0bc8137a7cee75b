import { createRemoteAgent, MemoryInboundStore, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { expect, test, vi } from 'vitest';
import { greeter } from './greeter.ts';

test('answers although the model fails once', async () => {
  await using platform = await createTestPlatform();
  const workspace = await platform.createWorkspace('greeter');
  const client = new RemoteAgentClient({ ...platform, ...workspace, logger: silentLogger });
  const model = vi.fn().mockRejectedValueOnce(new Error('overloaded')).mockResolvedValue('How are you?');
  const agent = createRemoteAgent({ client, store: new MemoryInboundStore(), onMessage: greeter(model) });
  await agent.start();

  const operator = new OperatorClient(platform);
  const reply = operator.sendMessage(workspace.workspaceId, 'I am Ada');
  await platform.clock.advance(5_000); // the pause before the second attempt
  expect(await reply).toMatchObject({ status: 'answered', text: 'Hello! How are you?' });
  expect(model).toHaveBeenCalledTimes(2);

  await platform.clock.advance(3_600_000); // an hour of heartbeats
  expect(await platform.statusOf(workspace.workspaceId)).toBe('online');

  await agent.stop();
  await Promise.all([client.close(), operator.close()]);
});
