import 'reflect-metadata';
import type { RemoteAgent } from '@molecule-ai/core';
import { chaos } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  MoleculeHealthIndicator,
  MoleculeModule,
  OnAgentEvent,
  OnMessage,
} from '@molecule-ai/nestjs';
import { Controller, Get, Inject } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { expect } from 'vitest';
import { moduleOf, openNestStage, QUIET } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

class Clerk {
  @OnMessage() answer() {
    return 'Yes.';
  }
}

class Supporter {
  @OnMessage({ agent: 'support' }) answer() {
    return 'Yes.';
  }
}

verifies('nestjs.health', 'health: half dead', async () => {
  const { workspace, opened, online, platform } = await openNestStage();
  const dispatcher = chaos(platform.connection.dispatcher, { clock: platform.clock });
  const root = moduleOf({
    imports: [
      MoleculeModule.forRoot(await workspace({ manualStart: true })),
      MoleculeModule.forRoot({
        ...(await workspace({ client: { connection: { ...platform.connection, dispatcher } } })),
        name: 'support',
      }),
    ],
    providers: [Clerk, Supporter],
  });
  const app = opened(await NestFactory.createApplicationContext(root, QUIET));
  const health = app.get(MoleculeHealthIndicator);
  const agent = app.get<RemoteAgent>(getAgentToken());
  const support = app.get<RemoteAgent>(getAgentToken('support'));
  await online(support);
  const { molecule } = health.check();
  expect(molecule).toMatchObject({
    status: 'down',
    agents: { default: { status: 'down', state: 'idle' }, support: { status: 'up', state: 'running' } },
  });
  void agent.start();
  await online(agent);
  expect(await health.isHealthy('agents')).toMatchObject({ agents: { status: 'up' } });
  expect(() => health.check('x', { agents: 'other' } as never)).toThrow('has no option "agents"');
  expect(() => health.check('x', { agent: 'other' })).toThrow(
    'There is no agent "other" whose health could be checked.',
  );
  expect(health.check('x', null as never)).toMatchObject({ x: { status: 'up' } });

  // Heartbeats arrive, and the feed is not read.
  dispatcher.rules = [{ fault: 'drop', method: 'GET', path: '/workspaces/:id/activity' }];
  await platform.clock.advanceUntil(() => !support.health().ok);
  expect(await health.isHealthy('support', { agent: 'support' })).toMatchObject({
    support: { status: 'down', state: 'running', degradedReasons: ['inbound-stale'] },
  });
  expect(health.check('all').all?.status).toBe('down');
  dispatcher.rules = [];
  await platform.clock.advanceUntil(() => support.health().ok);
  expect(health.check('all').all?.status).toBe('up');
});

class Watcher {
  readonly failures: unknown[] = [];
  @OnMessage() answer() {
    return 'Yes.';
  }
  @OnAgentEvent('start-failed') failed(error: unknown) {
    this.failures.push(error);
  }
}

verifies('nestjs.health', 'health: ended', async () => {
  const { workspace, opened, platform } = await openNestStage();
  const root = moduleOf({
    imports: [MoleculeModule.forRoot(await workspace({ client: { authToken: `mol_${'x'.repeat(40)}` } }))],
    providers: [Watcher],
  });
  const app = opened(await NestFactory.createApplicationContext(root, QUIET));
  const agent = app.get<RemoteAgent>(getAgentToken());
  await platform.clock.advanceUntil(() => agent.state === 'stopped');
  expect(app.get(MoleculeHealthIndicator).check()).toMatchObject({
    molecule: { status: 'down', state: 'stopped', endReason: 'unauthorized' },
  });
  await platform.clock.advanceUntil(() => app.get(Watcher).failures.length > 0);
  expect(app.get(Watcher).failures).toEqual([expect.objectContaining({ code: 'unauthorized' })]);
});

@Controller('health')
class HealthController {
  @Inject(HealthCheckService) readonly health!: HealthCheckService;
  @Inject(MoleculeHealthIndicator) readonly molecule!: MoleculeHealthIndicator;

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.molecule.isHealthy('molecule') as never]);
  }
}

verifies('nestjs.health', 'health: terminus', async () => {
  const { workspace, opened, online } = await openNestStage();
  const root = moduleOf({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      MoleculeModule.forRoot(await workspace({ manualStart: true })),
    ],
    controllers: [HealthController],
    providers: [Clerk],
  });
  const app = opened(await NestFactory.create(root, QUIET));
  await app.listen(0, '127.0.0.1');
  const read = async () => {
    const response = await fetch(`${await app.getUrl()}/health`);
    return [response.status, await response.json()] as const;
  };
  const [status, body] = await read();
  expect([status, body]).toMatchObject([
    503,
    { status: 'error', error: { molecule: { status: 'down', state: 'idle' } } },
  ]);
  const agent = app.get<RemoteAgent>(getAgentToken());
  void agent.start();
  await online(agent);
  const [after, healthy] = await read();
  expect([after, healthy]).toMatchObject([
    200,
    { status: 'ok', info: { molecule: { status: 'up', delivery: 'long-poll' } } },
  ]);

  // Terminus 10 has no service for indicators, and takes errors of its own for checks that failed.
  const TerminusOf10 = moduleOf({ providers: [] }, 'TerminusModule');
  const old = moduleOf({
    imports: [TerminusOf10, MoleculeModule.forRoot(await workspace({ manualStart: true }))],
    providers: [Clerk],
  });
  const other = opened(await NestFactory.createApplicationContext(old, QUIET));
  await expect(other.get(MoleculeHealthIndicator).isHealthy('molecule')).rejects.toMatchObject({
    isHealthCheckError: true,
    causes: { molecule: { status: 'down', state: 'idle' } },
  });
});
