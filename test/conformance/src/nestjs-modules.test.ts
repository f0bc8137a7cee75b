import { ConfigurationError, type RemoteAgent, type RemoteAgentClient } from '@molecule-ai/core';
import { expectAnswered } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  getMoleculeClientToken,
  getMoleculeOptionsToken,
  InjectAgent,
  InjectMoleculeClient,
  MoleculeModule,
  type MoleculeModuleOptions,
  type MoleculeOptionsFactory,
  OnMessage,
} from '@molecule-ai/nestjs';
import { type DynamicModule, Inject, Injectable, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { expect, vi } from 'vitest';
import { moduleOf, openNestStage, QUIET, withMore } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

@Injectable()
class Clerk {
  @OnMessage()
  answer() {
    return 'done';
  }
}

const OPTIONS = Symbol('OPTIONS');

const application = (metadata: ModuleMetadata) =>
  NestFactory.createApplicationContext(moduleOf(metadata), QUIET);

verifies('nestjs.modules.option-sources', 'modules: async', async () => {
  const { workspace, opened, online, ask } = await openNestStage();
  @Injectable()
  class Factory implements MoleculeOptionsFactory {
    @Inject(OPTIONS) readonly options!: MoleculeModuleOptions;

    async createMoleculeOptions() {
      return this.options;
    }
  }
  const ways: ((config: DynamicModule) => DynamicModule)[] = [
    (config) =>
      MoleculeModule.forRootAsync({
        imports: [config],
        inject: [OPTIONS],
        useFactory: async (options: MoleculeModuleOptions) => options,
      }),
    (config) => MoleculeModule.forRootAsync({ imports: [config], useClass: Factory }),
    (config) => MoleculeModule.forRootAsync({ imports: [config], useExisting: Factory }),
  ];
  for (const way of ways) {
    const options = await workspace();
    const config: DynamicModule = {
      module: moduleOf({}, 'ConfigModule'),
      providers: [{ provide: OPTIONS, useValue: options }, Factory],
      exports: [OPTIONS, Factory],
    };
    const app = opened(await application({ imports: [way(config)], providers: [Clerk] }));
    await online(app.get(getAgentToken()));
    expectAnswered(await ask(options.client.workspaceId, 'x'), 'done');
  }
});

verifies('nestjs.modules.options', 'modules: options', async () => {
  const { workspace } = await openNestStage();
  const options = await workspace();
  vi.stubEnv('MOLECULE_WORKSPACE_ID', '');
  vi.stubEnv('WORKSPACE_ID', '');
  const errorOf = async (imports: DynamicModule[]): Promise<ConfigurationError> => {
    const error: unknown = await application({ imports, providers: [Clerk] }).catch((thrown) => thrown);
    if (!ConfigurationError.isInstance(error)) throw error;
    return error;
  };
  const { workspaceId: _id, ...client } = options.client;
  const missing = await errorOf([MoleculeModule.forRoot({ ...options, client })]);
  expect(missing.message).toMatch(/^MoleculeModule: workspaceId \(or MOLECULE_WORKSPACE_ID, WORKSPACE_ID\)/);
  const named = await errorOf([
    MoleculeModule.forRootAsync({
      name: 'support',
      useFactory: () => withMore(options, { agent: { concurrency: 0 } }),
    }),
  ]);
  expect(named.message).toMatch(/^MoleculeModule, the agent "support": concurrency must be/);
  const wrong: [object, RegExp][] = [
    [{ manualStart: 'no' }, /manualStart must be true or false/],
    [{ globalEnhancers: 0 }, /globalEnhancers must be true or false/],
    [{ agent: { onMessage: () => 'x' } }, /The module takes no `agent.onMessage`/],
    [{ agent: { client: {} } }, /The module takes no `agent.client`/],
    [{ client: 'x' }, /client must be an object/],
    [{ agent: [] }, /agent must be an object/],
  ];
  for (const [fields, message] of wrong) {
    const given = { ...options, ...fields } as MoleculeModuleOptions;
    expect((await errorOf([MoleculeModule.forRoot(given)])).message).toMatch(message);
  }
  const nothing = MoleculeModule.forRootAsync({ useFactory: () => undefined as never });
  expect((await errorOf([nothing])).message).toMatch(/options must be an object, got undefined/);
  expect(() => MoleculeModule.forRoot({ name: ' ' })).toThrow(/The name of an agent must be a text/);
  expect(() => MoleculeModule.forRoot({ name: 'default' })).toThrow(
    'The name of an agent cannot be "default".',
  );
  vi.unstubAllEnvs();
});

verifies('nestjs.modules.options', 'options from the environment', async () => {
  const { workspace, opened, online, ask } = await openNestStage();
  const { client, ...others } = await workspace();
  const { workspaceId, authToken, ...rest } = client;
  vi.stubEnv('MOLECULE_WORKSPACE_ID', workspaceId);
  vi.stubEnv('MOLECULE_WORKSPACE_TOKEN', String(authToken));
  const app = opened(
    await application({ imports: [MoleculeModule.forRoot({ ...others, client: rest })], providers: [Clerk] }),
  );
  vi.unstubAllEnvs();
  await online(app.get(getAgentToken()));
  expectAnswered(await ask(workspaceId, 'x'), 'done');
});

verifies('nestjs.modules.named', 'modules: directory', async () => {
  const { workspace, opened, online } = await openNestStage();
  const [first, second] = [await workspace(), await workspace()];
  const { storage } = first.client;
  const start = (...options: [MoleculeModuleOptions, MoleculeModuleOptions]) => {
    @Injectable()
    class Desk {
      @OnMessage()
      @OnMessage({ agent: 'support' })
      answer() {
        return 'done';
      }
    }
    const imports = [
      MoleculeModule.forRoot(options[0]),
      MoleculeModule.forRoot({ ...options[1], name: 'support' }),
    ];
    return application({ imports, providers: [Desk] });
  };
  const withFiles = { agent: { store: undefined } };
  await expect(
    start(withMore(first, withFiles), withMore(second, { ...withFiles, client: { storage } })),
  ).rejects.toThrow(
    /One state directory for two agents: the agent without a name and the agent "support" have/,
  );
  // With a store of its own an agent has no file there.
  const app = opened(await start(withMore(first, withFiles), withMore(second, { client: { storage } })));
  for (const name of [undefined, 'support']) await online(app.get(getAgentToken(name)));
});

verifies('nestjs.modules.named', 'modules: named', async () => {
  const { workspace, opened, online, ask, peer, settled } = await openNestStage();
  @Injectable()
  class Desk {
    @InjectAgent('support') readonly agent!: RemoteAgent;
    @InjectMoleculeClient('support') readonly client!: RemoteAgentClient;
    @InjectMoleculeClient() readonly first!: RemoteAgentClient;

    @OnMessage({ agent: 'support' })
    async answer() {
      const { text } = await this.client.callPeer(other.id, 'x');
      return `${text} ${this.agent.state} ${this.client.workspaceId !== this.first.workspaceId}`;
    }
  }
  const other = await peer({ answer: 'ok' });
  const [first, second] = [await workspace(), await workspace()];
  const app = opened(
    await application({
      imports: [MoleculeModule.forRoot(first), MoleculeModule.forRoot({ ...second, name: 'support' })],
      providers: [Clerk, Desk],
    }),
  );
  const [agent, support] = [
    app.get<RemoteAgent>(getAgentToken()),
    app.get<RemoteAgent>(getAgentToken('support')),
  ];
  await online(agent);
  await online(support);
  expectAnswered(await ask(first.client.workspaceId, 'x'), 'done');
  expectAnswered(await ask(second.client.workspaceId, 'x'), 'ok running true');
  await settled(support.stop());
  expectAnswered(await ask(first.client.workspaceId, 'x'), 'done');
  await settled(app.close());
  expect([agent.state, support.state]).toEqual(['stopped', 'stopped']);
});

verifies('nestjs.modules.named', 'two agents of one workspace are an error at start', async () => {
  const { workspace } = await openNestStage();
  const options = await workspace();
  const imports = [MoleculeModule.forRoot(options), MoleculeModule.forRoot({ ...options, name: 'support' })];
  await expect(application({ imports, providers: [Clerk] })).rejects.toThrow(
    'One workspace for two agents: the agent without a name and the agent "support" have the same workspaceId.',
  );
});

verifies('nestjs.modules.named', 'modules: twice', async () => {
  const { workspace } = await openNestStage();
  const options = await workspace();
  const orders = moduleOf({ imports: [MoleculeModule.forRoot(await workspace())] }, 'OrdersModule');
  const imports = [orders, MoleculeModule.forRoot(options)];
  await expect(application({ imports, providers: [Clerk] })).rejects.toThrow(
    /^Two modules make the agent without a name: one is imported by (OrdersModule, the other by AppModule|AppModule, the other by OrdersModule)\.$/,
  );
  // The same options: Nest 10 would take both for one module.
  const same = [MoleculeModule.forRoot({ ...options }), MoleculeModule.forRoot({ ...options })];
  await expect(application({ imports: same, providers: [Clerk] })).rejects.toThrow(
    'Two modules make the agent without a name: one is imported by AppModule, the other by AppModule.',
  );
  const global = MoleculeModule.forRoot({ ...(await workspace()), isGlobal: true });
  await expect(application({ imports: [orders, global], providers: [Clerk] })).rejects.toThrow(
    /imported by (AppModule|OrdersModule)/,
  );
});

verifies('nestjs.modules.named', 'one import in several modules is one agent', async () => {
  const { workspace, opened, online, ask } = await openNestStage();
  const options = await workspace();
  const agent = MoleculeModule.forRoot(options);
  const orders = moduleOf({ imports: [agent], providers: [Clerk] }, 'OrdersModule');
  const app = opened(await application({ imports: [orders, agent] }));
  await online(app.get(getAgentToken()));
  expectAnswered(await ask(options.client.workspaceId, 'x'), 'done');
});

verifies('nestjs.modules.global', async () => {
  const { workspace, opened } = await openNestStage();
  @Injectable()
  class Reports {
    @InjectMoleculeClient() readonly client!: RemoteAgentClient;
  }
  const reports = moduleOf({ providers: [Reports] }, 'ReportsModule');
  const options = await workspace({ manualStart: true });
  const imports = (isGlobal: boolean) => [reports, MoleculeModule.forRoot({ ...options, isGlobal })];
  const app = opened(await application({ imports: imports(true), providers: [Clerk] }));
  expect(app.get(Reports, { strict: false }).client.workspaceId).toBe(options.client.workspaceId);
  await expect(application({ imports: imports(false), providers: [Clerk] })).rejects.toThrow(/Reports/);
  const without = await application({ imports: [MoleculeModule as never], providers: [Clerk] }).catch(
    (e) => e,
  );
  expect(without.message).toBe('AppModule imports MoleculeModule without forRoot() or forRootAsync().');
});

verifies('nestjs.testing.override', 'modules: override', async () => {
  const { workspace, opened, online, ask } = await openNestStage();
  const [options, other] = [await workspace(), await workspace()];
  const testing = () =>
    Test.createTestingModule({ imports: [MoleculeModule.forRoot(options)], providers: [Clerk] });
  const module = await testing().overrideProvider(getMoleculeOptionsToken()).useValue(other).compile();
  const app = opened(await module.init());
  await online(app.get(getAgentToken()));
  expectAnswered(await ask(other.client.workspaceId, 'x'), 'done');

  const double = { callPeer: async () => 'a double' };
  const calls: string[] = [];
  const agent = { start: () => calls.push('start'), stop: () => calls.push('stop') };
  const doubled = await testing()
    .overrideProvider(getMoleculeClientToken())
    .useValue(double)
    .overrideProvider(getAgentToken())
    .useValue(agent)
    .compile();
  await doubled.init();
  expect(await doubled.get(getMoleculeClientToken()).callPeer()).toBe('a double');
  await doubled.close();
  expect(calls).toEqual(['start', 'stop']);
});

verifies('nestjs.modules.option-sources', 'modules: options are not read', async () => {
  const { workspace, opened } = await openNestStage();
  const options = await workspace({ manualStart: true });
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const read: string[] = [];
  Object.defineProperty(logger, 'secret', { enumerable: true, get: () => read.push('secret') });
  const app = opened(
    await application({
      imports: [MoleculeModule.forRoot(withMore(options, { client: { logger } }))],
      providers: [Clerk],
    }),
  );
  expect(app.get(getAgentToken())).toBeDefined();
  expect(read).toEqual([]);
});

verifies('nestjs.modules.options', 'modules: factory extras', async () => {
  const { workspace } = await openNestStage();
  const options = await workspace();
  for (const [name, value] of [
    ['isGlobal', true],
    ['name', 'support'],
  ] as const) {
    const module = MoleculeModule.forRootAsync({ useFactory: () => ({ ...options, [name]: value }) });
    const made = NestFactory.createApplicationContext(moduleOf({ imports: [module] }), QUIET);
    await expect(made).rejects.toMatchObject({
      message: expect.stringContaining(`\`${name}\` cannot come from a factory`),
      hint: expect.stringContaining(`forRootAsync({ ${name}`),
    });
  }
});
