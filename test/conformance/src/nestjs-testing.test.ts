import { clientPort } from '@molecule-ai/core/adapter-kit';
import 'reflect-metadata';
import { existsSync } from 'node:fs';
import type { RemoteAgent } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  getMoleculeClientToken,
  getMoleculeOptionsToken,
  InjectAgent,
  MessageText,
  MoleculeModule,
  MoleculeService,
  OnMessage,
} from '@molecule-ai/nestjs';
import { MoleculeTesting, MoleculeTestingModule } from '@molecule-ai/nestjs/testing';
import { createPlatform } from '@molecule-ai/platform';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { Inject, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { expect, onTestFinished, vi } from 'vitest';
import { foreignEnvironment } from './harness/foreign-environment.ts';
import { moduleOf, QUIET, withMore } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

@Injectable()
class PriceList {
  priceOf(_name: string) {
    return 3;
  }
}

@Injectable()
class Clerk {
  @Inject(PriceList) readonly prices!: PriceList;
  @Inject(MoleculeService) readonly molecule!: MoleculeService;

  @OnMessage() async answer(@MessageText() text: string) {
    if (text === 'boom') throw new Error('The prices are away');
    if (!text.startsWith('ask ')) return `${text} costs ${this.prices.priceOf(text)}`;
    const reply = await this.molecule.call(text.slice('ask '.length), 'In stock?');
    return reply.text;
  }
}

verifies('testing.no-environment', 'with the testing module of NestJS', async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const [name, value] of Object.entries(foreignEnvironment())) vi.stubEnv(name, value);
  const platform = await createTestPlatform();
  onTestFinished(() => platform.close());
  const testing = await MoleculeTesting.open(platform);
  const module = await Test.createTestingModule({
    imports: [MoleculeTestingModule.forRoot(testing)],
    providers: [Clerk, PriceList],
  }).compile();
  const app = await module.init();
  await testing.online(app.get<RemoteAgent>(getAgentToken()));
  expectAnswered(await testing.ask('Tea'), 'Tea costs 3');
  expectAnswered(await testing.say('Tea'), 'Tea costs 3');
  const { client } = await testing.peer();
  expect([clientPort(client).reportedUrl, clientPort(app.get(getMoleculeClientToken())).reportedUrl]).toEqual(
    [null, null],
  );
  await testing.settled(app.close());
});

verifies('nestjs.testing.module', 'the module', async () => {
  const platform = await createTestPlatform();
  onTestFinished(() => platform.close());
  const testing = await MoleculeTesting.open(platform, { workspaceName: 'shop' });
  const module = await Test.createTestingModule({
    imports: [MoleculeTestingModule.forRoot(testing)],
    providers: [Clerk, PriceList],
  })
    .overrideProvider(PriceList)
    .useValue({ priceOf: () => 5 })
    .compile();
  const app = await module.init();
  await testing.online(app.get<RemoteAgent>(getAgentToken()));
  expect(app.get(MoleculeTesting)).toBe(testing);
  expectAnswered(await testing.say('tea'), 'tea costs 5');
  expectAnswered(await testing.ask('milk'), 'milk costs 5');
  const caller = (await testing.peer()).client;
  const sent = await testing.settled(caller.callPeer(testing.workspaceId, 'boom'));
  expect(sent.status).toBe('queued');
  expectStatus(await testing.settled(caller.waitForAnswer(sent.messageId)), 'failed', 'handler_failed');
  const stock = await testing.peer({ name: 'stock', answer: 'Yes, 12.' });
  expectAnswered(await testing.ask(`ask ${stock.id}`), 'Yes, 12.');
  expect(stock.received.map(({ text }) => text)).toEqual(['In stock?']);
  await testing.settled(app.close());
  expect(stock.agent.state).toBe('stopped');
  expect(existsSync(testing.options.client?.storage?.directory ?? '')).toBe(false);
  await testing.close();
  for (const late of [() => testing.ask('tea'), () => testing.say('tea'), () => testing.peer()]) {
    await expect(late()).rejects.toThrow('This MoleculeTesting is closed');
  }

  // A platform that runs elsewhere, by the clock of the system.
  const real = await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: ':memory:' } });
  onTestFinished(() => real.close());
  const other = await MoleculeTesting.open({ platformUrl: real.url, operatorKey: real.operatorKey });
  const second = await Test.createTestingModule({
    imports: [MoleculeTestingModule.forRoot(other, { name: 'support', isGlobal: true })],
    providers: [Supporter],
  }).compile();
  const running = await second.init();
  await other.online(running.get(Supporter).agent);
  expectAnswered(await other.ask('Hello'), 'support');
  await running.close();
});

@Injectable()
class Supporter {
  @InjectAgent('support') readonly agent!: RemoteAgent;
  @OnMessage({ agent: 'support' }) answer() {
    return 'support';
  }
}

verifies('nestjs.testing.module', 'ask waits for the handler', async () => {
  let attempts = 0;
  @Injectable()
  class Slow {
    @OnMessage() async answer(@MessageText() text: string): Promise<string> {
      // Of the machine: the clock of the platform does not know of it.
      await new Promise((resolve) => setTimeout(resolve, 300));
      attempts += 1;
      if (text === 'fail') throw new Error('as ordered');
      return 'at last';
    }
  }
  const platform = await createTestPlatform();
  onTestFinished(() => platform.close());
  await using testing = await MoleculeTesting.open(platform);
  const app = await Test.createTestingModule({
    imports: [MoleculeTestingModule.forRoot(testing)],
    providers: [Slow],
  }).compile();
  await app.init();
  await testing.online(app.get<RemoteAgent>(getAgentToken()));
  expectAnswered(await testing.ask('go'), 'at last');
  expectAnswered(await testing.say('go'), 'at last');
  attempts = 0;
  expect((await testing.ask('fail')).status).toBe('failed');
  expect(attempts).toBe(5);
  await testing.settled(app.close());
});

verifies('nestjs.testing.override', 'testing: without platform', async () => {
  const AppModule = moduleOf({ imports: [MoleculeModule.forRoot()], providers: [Clerk, PriceList] });
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(getMoleculeClientToken())
    .useValue({})
    .overrideProvider(getAgentToken())
    .useValue({})
    .overrideProvider(MoleculeService)
    .useValue({ call: async () => ({ text: 'none' }) })
    .compile();
  const app = await module.init();
  expect(await app.get(Clerk).answer('ask x')).toBe('none');
  await app.close();
});

verifies('nestjs.testing.override', 'testing: override', async () => {
  const platform = await createTestPlatform();
  onTestFinished(() => platform.close());
  // As the application has it: options of production, which the test never uses.
  const AppModule = moduleOf({
    imports: [
      MoleculeModule.forRootAsync({
        useFactory: () => {
          throw new Error('the environment of production is not here');
        },
      }),
    ],
    providers: [Clerk, PriceList],
  });
  await using testing = await MoleculeTesting.open(platform);
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(getMoleculeOptionsToken())
    .useValue(testing.options)
    .compile();
  const app = await module.init();
  await testing.online(app.get<RemoteAgent>(getAgentToken()));
  expectAnswered(await testing.say('tea'), 'tea costs 3');
  expect(app.get(MoleculeService).client.workspaceId).toBe(testing.workspaceId);
  await testing.settled(app.close());

  // A double of an agent takes no messages, also where the application has a server and a URL.
  const pushed = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(getMoleculeOptionsToken())
    .useValue(
      withMore(testing.options, {
        client: { reportedUrl: 'http://127.0.0.1:9/a2a' },
        push: { path: '/a2a' },
      }),
    )
    .overrideProvider(getAgentToken())
    .useValue({ state: 'idle' })
    .compile();
  const server = await pushed.createNestApplication(QUIET).init();
  expect(server.get<RemoteAgent>(getAgentToken())).toEqual({ state: 'idle' });
  await testing.settled(server.close());

  const double = { call: async () => ({ text: 'none' }) };
  const unit = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(getMoleculeOptionsToken())
    .useValue({ ...testing.options, manualStart: true })
    .overrideProvider(MoleculeService)
    .useValue(double)
    .compile();
  expect(await unit.get(Clerk).answer('ask x')).toBe('none');
  await testing.settled(unit.close());
});
