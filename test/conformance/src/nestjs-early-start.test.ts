import { EventEmitter, once } from 'node:events';
import type { RemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { expectAnswered } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  getMoleculeClientToken,
  InjectAgent,
  MessageText,
  MoleculeModule,
  OnAgentEvent,
  OnMessage,
} from '@molecule-ai/nestjs';
import { Injectable, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { expect } from 'vitest';
import { moduleOf, openNestStage, QUIET } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

verifies('nestjs.lifecycle.after-bootstrap', 'lifecycle: early start', async () => {
  const { workspace, opened, operator, online, end, platform } = await openNestStage();
  for (const isInHook of [false, true]) {
    const log: string[] = [];
    const door = new EventEmitter();
    @Injectable()
    class Desk implements OnModuleInit, OnApplicationBootstrap {
      @InjectAgent() readonly agent!: RemoteAgent;

      async onModuleInit() {
        if (isInHook) await online(this.#start());
      }
      #start() {
        void this.agent.start();
        return this.agent;
      }
      async onApplicationBootstrap() {
        await once(door, 'open');
        log.push('prepared');
      }
      @OnMessage()
      answer(@MessageText() text: string) {
        log.push(text);
        return `${text} done`;
      }
      @OnAgentEvent('message')
      noted() {
        log.push('event');
      }
    }
    const warnings: string[] = [];
    const ignore = () => {};
    const warn = (_fields: object, message: string) => void warnings.push(message);
    const logger = { debug: ignore, info: ignore, warn, error: ignore };
    const options = await workspace({ manualStart: true, client: { logger } });
    const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Desk] });
    const app = opened(await NestFactory.create(root, QUIET));
    const agent = app.get<RemoteAgent>(getAgentToken());
    if (!isInHook) {
      void agent.start();
      await online(agent);
    }
    const starting = app.init();
    await platform.clock.advanceUntil(() => agent.state === 'running');
    const sent = ['one', 'two'].map((text) =>
      operator.sendMessage(options.client.workspaceId, text, { contextId: crypto.randomUUID() }),
    );
    await platform.clock.advanceUntil(() => agent.health().inFlight === 2);
    await platform.clock.advance(1_000);
    expect(log).toEqual([]);
    door.emit('open');
    await starting;
    for (const [index, text] of ['one', 'two'].entries()) {
      expectAnswered(await end(options.client.workspaceId, sent[index] as (typeof sent)[0]), `${text} done`);
    }
    expect(log[0]).toBe('prepared');
    expect([...log].sort()).toEqual(['event', 'event', 'one', 'prepared', 'two']);
    expect(warnings.filter((line) => line.includes('started before the application'))).toHaveLength(1);
  }
});

verifies('nestjs.lifecycle.after-bootstrap', 'an application that never starts', async () => {
  const { workspace, online, operator, end, platform, settled } = await openNestStage();
  const attempts: number[] = [];
  @Injectable()
  class Desk {
    @OnMessage()
    answer(_message: object, { attempt }: { attempt: number }) {
      attempts.push(attempt);
      return 'done';
    }
  }
  const options = await workspace({ manualStart: true });
  const compile = () =>
    Test.createTestingModule({ imports: [MoleculeModule.forRoot(options)], providers: [Desk] }).compile();
  const module = await compile();
  const agent = module.get<RemoteAgent>(getAgentToken());
  void agent.start();
  await online(agent);
  const sent = operator.sendMessage(options.client.workspaceId, 'x');
  await platform.clock.advanceUntil(() => agent.health().inFlight === 1);
  const before = platform.clock.now();
  await settled(module.close());
  // It does not wait for handlers: none runs.
  expect(platform.clock.now() - before).toBeLessThan(30_000);
  expect(attempts).toEqual([]);

  const other = await (await compile()).init();
  const second = other.get<RemoteAgent>(getAgentToken());
  void second.start();
  await online(second);
  expectAnswered(await end(options.client.workspaceId, sent), 'done');
  expect(attempts).toEqual([1]);
  await settled(other.close());
});

verifies('nestjs.lifecycle.nothing-stays', 'one of two agents cannot start', async () => {
  const { workspace, platform, settled } = await openNestStage();
  let modules!: ModuleRef;
  @Injectable()
  class Desk {
    constructor(moduleRef: ModuleRef) {
      modules = moduleRef;
    }
    @OnMessage()
    @OnMessage({ agent: 'support' })
    answer() {
      return 'done';
    }
  }
  Reflect.defineMetadata('design:paramtypes', [ModuleRef], Desk);
  const first = await workspace();
  // Nothing serves the URL.
  const second = await workspace({ client: { reportedUrl: 'http://127.0.0.1:9/a2a' }, push: false });
  const imports = [MoleculeModule.forRoot(first), MoleculeModule.forRoot({ ...second, name: 'support' })];
  const root = moduleOf({ imports, providers: [Desk] });
  await expect(settled(NestFactory.createApplicationContext(root, QUIET))).rejects.toThrow(
    /the agent "support": .* nothing serves the agent/,
  );
  for (const name of [undefined, 'support']) {
    const agent = modules.get<RemoteAgent>(getAgentToken(name), { strict: false });
    const client = modules.get<RemoteAgentClient>(getMoleculeClientToken(name), { strict: false });
    expect(agent.state).toBe('stopped');
    await expect(client.getPeers()).rejects.toThrow(/closed/);
  }
  await platform.clock.advance(60_000);
  expect(await platform.statusOf(first.client.workspaceId)).not.toBe('online');
});
