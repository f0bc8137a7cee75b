import 'reflect-metadata';
import {
  type AnswerContent,
  createRemoteAgent,
  MemoryInboundStore,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { recordingLogger, temporaryState } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  getMoleculeClientToken,
  MoleculeHealthIndicator,
  MoleculeModule,
  type MoleculeModuleOptions,
  OnMessage,
} from '@molecule-ai/nestjs';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect, onTestFinished, vi } from 'vitest';
import { verifies } from './verifies.ts';

const WORKSPACE = { platformUrl: 'http://127.0.0.1:1', workspaceId: '6ad4d5f4-4b4c-4b0a-9d2a-0d5b9f6f3f11' };

function environment(name: string, value: string | undefined): void {
  vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}

verifies('agent.disabled', async () => {
  environment('MOLECULE_DISABLED', '1');
  const logger = recordingLogger();
  const state = temporaryState();
  onTestFinished(() => state.remove());
  const client = new RemoteAgentClient({ ...WORKSPACE, ...state, logger });
  onTestFinished(() => client.close());
  const agent = createRemoteAgent({ client, store: new MemoryInboundStore(), onMessage: () => 'hello' });
  await agent.start();
  expect(await agent.closed).toBe('stopped');
  expect(logger.messages('info')).toEqual([
    'MOLECULE_DISABLED is set: the agent joins no workspace, and ends.',
  ]);
  await expect(client.getPeers()).rejects.toMatchObject({
    code: 'configuration_invalid',
    message: 'Nothing is sent to the platform: MOLECULE_DISABLED is set.',
  });

  // A test platform is meant.
  const platform = await createTestPlatform();
  onTestFinished(() => platform.close());
  const other = temporaryState();
  const meant = new RemoteAgentClient({
    ...platform,
    ...(await platform.createWorkspace('a')),
    ...other,
    logger,
  });
  const running = createRemoteAgent({
    client: meant,
    store: new MemoryInboundStore(),
    onMessage: () => 'hello',
  });
  await running.start();
  expect(running.state).toBe('running');
  await platform.clock.advanceUntilSettled(running.stop());
  await meant.close();
  other.remove();
});

@Injectable()
class Desk {
  @OnMessage() answer(): AnswerContent {
    return { text: 'hello' };
  }
}

async function applicationWith(options: MoleculeModuleOptions) {
  class Root {}
  Module({ imports: [MoleculeModule.forRoot(options)], providers: [Desk] })(Root);
  const app = await NestFactory.createApplicationContext(Root, { logger: false, abortOnError: false });
  onTestFinished(() => app.close());
  return {
    agent: app.get(getAgentToken()),
    client: app.get<RemoteAgentClient>(getMoleculeClientToken()),
    health: app.get(MoleculeHealthIndicator),
  };
}

verifies('nestjs.disabled', async () => {
  environment('MOLECULE_PLATFORM_URL', undefined);
  environment('MOLECULE_WORKSPACE_ID', undefined);
  environment('NODE_ENV', 'test');
  const logger = recordingLogger();
  const { agent, client, health } = await applicationWith({ client: { logger } });
  expect(agent.state).toBe('stopped');
  expect(health.check()).toEqual({ molecule: { status: 'up', state: 'stopped' } });
  expect(logger.messages('info')).toEqual(['The agent joins no workspace: NODE_ENV=test.']);
  await expect(client.getPeers()).rejects.toMatchObject({
    code: 'configuration_invalid',
    message: 'Nothing is sent to the platform: NODE_ENV=test.',
  });
});

verifies('nestjs.disabled', 'by the variable, and by the option', async () => {
  environment('NODE_ENV', 'production');
  environment('MOLECULE_DISABLED', 'true');
  const byVariable = recordingLogger();
  await applicationWith({ client: { ...WORKSPACE, logger: byVariable } });
  expect(byVariable.messages('info')).toEqual(['The agent joins no workspace: MOLECULE_DISABLED.']);
  environment('MOLECULE_DISABLED', undefined);
  const byOption = recordingLogger();
  await applicationWith({ enabled: false, client: { ...WORKSPACE, logger: byOption } });
  expect(byOption.messages('info')).toEqual(['The agent joins no workspace: enabled: false.']);
});
