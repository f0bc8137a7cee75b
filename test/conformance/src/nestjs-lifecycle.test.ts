import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import type { RemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { chaos, expectAnswered, temporaryState } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  getMoleculeClientToken,
  InjectMoleculeClient,
  MessageText,
  MoleculeModule,
  OnMessage,
} from '@molecule-ai/nestjs';
import { createPlatform } from '@molecule-ai/platform';
import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  type INestApplicationContext,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { expect, onTestFinished } from 'vitest';
import { moduleOf, openNestStage, QUIET } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

@Injectable()
class Clerk {
  @OnMessage()
  answer() {
    return 'Yes.';
  }
}

/** The ways to start an application. */
const STARTS: Record<string, (root: Type) => Promise<INestApplicationContext>> = {
  context: (root) => NestFactory.createApplicationContext(root, QUIET),
  http: async (root) => {
    const app = await NestFactory.create(root, QUIET);
    await app.listen(0, '127.0.0.1');
    return app;
  },
  microservice: async (root) => {
    const app = await NestFactory.createMicroservice(root, { ...QUIET, strategy: new NoTransport() });
    await app.listen();
    return app;
  },
  hybrid: async (root) => {
    const app = await NestFactory.create(root, QUIET);
    app.connectMicroservice({ strategy: new NoTransport() });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    return app;
  },
  test: async (root) => (await Test.createTestingModule({ imports: [root] }).compile()).init(),
};

class NoTransport extends Server implements CustomTransportStrategy {
  listen(callback: () => void) {
    callback();
  }
  close() {}
  on() {}
  unwrap<T>() {
    return undefined as T;
  }
}

verifies('nestjs.lifecycle.after-bootstrap', 'lifecycle: after bootstrap', async () => {
  const { workspace, opened, online, operator, end, settled, platform } = await openNestStage();
  for (const [name, start] of Object.entries(STARTS)) {
    const log: string[] = [];
    const slow = (label: string) => {
      @Injectable()
      class Slow implements OnApplicationBootstrap {
        async onApplicationBootstrap() {
          // Longer than an agent needs to register and to read its messages.
          for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
          log.push(label);
        }
      }
      return Slow;
    };
    @Injectable()
    class Noting {
      @OnMessage()
      answer(@MessageText() text: string) {
        log.push(text);
        return 'done';
      }
    }
    const options = await workspace();
    const sent = operator.sendMessage(options.client.workspaceId, 'message');
    const imported: DynamicModule = { module: moduleOf({}), providers: [slow('imported'), Noting] };
    const everywhere: DynamicModule = { module: moduleOf({}), global: true, providers: [slow('global')] };
    const Root = moduleOf({
      imports: [MoleculeModule.forRoot(options), imported, everywhere],
      providers: [slow('root')],
    });
    Reflect.set(
      Root.prototype,
      'onApplicationBootstrap',
      slow('root module').prototype.onApplicationBootstrap,
    );
    const app = opened(await start(Root));
    await online(app.get(getAgentToken()));
    expectAnswered(await end(options.client.workspaceId, sent), 'done');
    expect([...log].sort(), name).toEqual(['global', 'imported', 'message', 'root', 'root module']);
    expect(log.at(-1), name).toBe('message');
    await settled(app.close());
    expect(await platform.statusOf(options.client.workspaceId)).toBe('offline');
  }
});

verifies('nestjs.lifecycle.platform-down', async () => {
  const { workspace, opened, ask, platform } = await openNestStage();
  const dispatcher = chaos(platform.connection.dispatcher, { clock: platform.clock, seed: 1 });
  dispatcher.rules = [{ fault: 'drop', lost: 'connection' }];
  const options = await workspace({ client: { connection: { ...platform.connection, dispatcher } } });
  const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Clerk] });
  // No clock moves: the start waits for nothing.
  const app = opened(await NestFactory.createApplicationContext(root, QUIET));
  const agent = app.get<RemoteAgent>(getAgentToken());
  await platform.clock.advanceUntil(() => agent.health().degradedReasons.length > 0);
  expect(agent.health()).toMatchObject({ ok: false, degradedReasons: ['platform-unreachable'] });
  dispatcher.rules = [];
  await platform.clock.advanceUntil(() => agent.health().ok);
  expectAnswered(await ask(options.client.workspaceId, 'x'), 'Yes.');
});

/** Fails when it is used after it was closed, as a pool of connections does. */
abstract class Database implements OnModuleDestroy {
  #isOpen = true;

  async query() {
    if (!this.#isOpen) throw new Error('The database is closed.');
  }
  onModuleDestroy() {
    this.#isOpen = false;
  }
}

@Injectable()
class OwnDatabase extends Database {}
@Injectable()
class ImportedDatabase extends Database {}
@Injectable()
class GlobalDatabase extends Database {}

/** That are handled at once. */
const MESSAGES = 10;

verifies('nestjs.lifecycle.drains-first', 'lifecycle: drains first', async () => {
  const { workspace, online, operator, platform, settled } = await openNestStage();
  for (const [name, start] of Object.entries(STARTS)) {
    const door = new EventEmitter();
    let running = 0;
    @Injectable()
    class Desk {
      @Inject(OwnDatabase) readonly own!: OwnDatabase;
      @Inject(ImportedDatabase) readonly imported!: ImportedDatabase;
      @Inject(GlobalDatabase) readonly everywhere!: GlobalDatabase;

      @OnMessage()
      async answer(@MessageText() text: string) {
        running += 1;
        await once(door, 'open');
        await Promise.all([this.own, this.imported, this.everywhere].map((database) => database.query()));
        return `${text} done`;
      }
    }
    const provided = (...providers: Type[]): DynamicModule => ({
      module: moduleOf({}),
      providers,
      exports: providers,
    });
    const options = await workspace({ agent: { concurrency: MESSAGES } });
    const root = moduleOf({
      imports: [
        { ...provided(GlobalDatabase), global: true },
        // Far from the root, where Nest 10 destroys first.
        [1, 2, 3, 4].reduce(
          (inner): DynamicModule => ({ module: moduleOf({}), imports: [inner], exports: [inner] }),
          provided(ImportedDatabase),
        ),
        MoleculeModule.forRoot(options),
      ],
      providers: [OwnDatabase, Desk],
    });
    door.setMaxListeners(2 * MESSAGES);
    const app = await start(root);
    await online(app.get(getAgentToken()));
    const numbers = Array.from({ length: MESSAGES }, (_, index) => index);
    const sent = numbers.map((number) =>
      operator.sendMessage(options.client.workspaceId, `${number}`, { contextId: crypto.randomUUID() }),
    );
    await platform.clock.advanceUntil(() => running === MESSAGES);
    const closing = app.close();
    await platform.clock.settle();
    const late = operator.sendMessage(options.client.workspaceId, 'late', { contextId: crypto.randomUUID() });
    await platform.clock.settle();
    door.emit('open');
    const replies = await settled(Promise.all(sent));
    for (const [number, reply] of replies.entries()) expectAnswered(reply, `${number} done`);
    await settled(closing);
    expect(running, name).toBe(MESSAGES);
    expect((await settled(late)).status).toBe('queued');
  }
});

verifies('nestjs.lifecycle.drains-first', 'lifecycle: client until the end', async () => {
  const { start, peer, settled } = await openNestStage();
  const other = await peer({ answer: 'ok' });
  const reports: string[] = [];
  @Injectable()
  class Reporter implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
    @InjectMoleculeClient() readonly client!: RemoteAgentClient;

    async report(hook: string) {
      if (reports.length === 3) return; // closed again, at the end of the test
      const { text } = await this.client.callPeer(other.id, hook);
      reports.push(`${hook} ${text}`);
    }
    onModuleDestroy() {
      return this.report('destroy');
    }
    beforeApplicationShutdown() {
      return this.report('before shutdown');
    }
    onApplicationShutdown() {
      return this.report('shutdown');
    }
  }
  const { app } = await start({ providers: [Clerk, Reporter] });
  const client = app.get<RemoteAgentClient>(getMoleculeClientToken());
  await settled(app.close());
  expect(reports).toEqual(['destroy ok', 'before shutdown ok', 'shutdown ok']);
  await expect(client.callPeer(other.id, 'after')).rejects.toThrow(/closed/);
});

verifies('nestjs.lifecycle.nothing-stays', 'lifecycle: closed twice', async () => {
  const { workspace, online, settled } = await openNestStage();
  for (const [name, start] of Object.entries(STARTS)) {
    const options = await workspace();
    const app = await start(moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Clerk] }));
    const agent = app.get<RemoteAgent>(getAgentToken());
    await online(agent);
    await settled(Promise.all([app.close(), app.close()]));
    await settled(app.close());
    expect(agent.state, name).toBe('stopped');
  }
});

verifies('nestjs.lifecycle.nothing-stays', 'lifecycle: failed start', async () => {
  const { workspace, platform, settled } = await openNestStage();
  @Injectable()
  class BrokenInit implements OnModuleInit {
    onModuleInit() {
      throw new Error('no disk');
    }
  }
  @Injectable()
  class BrokenBootstrap implements OnApplicationBootstrap {
    async onApplicationBootstrap() {
      throw new Error('no disk');
    }
  }
  for (const Broken of [BrokenInit, BrokenBootstrap]) {
    const options = await workspace();
    const imports = [MoleculeModule.forRoot(options)];
    const root = moduleOf({ imports, providers: [Clerk, Broken] });
    await expect(NestFactory.createApplicationContext(root, QUIET)).rejects.toThrow('no disk');
    const app = await NestFactory.create(root, QUIET);
    await expect(app.init()).rejects.toThrow('no disk');
    const agent = app.get<RemoteAgent>(getAgentToken());
    await platform.clock.advance(60_000);
    expect(agent.state).toBe('idle');
    expect(await platform.statusOf(options.client.workspaceId)).not.toBe('online');
    await settled(app.close());
    expect(agent.state).toBe('stopped');
  }
});

verifies('nestjs.lifecycle.manual-start', async () => {
  const { workspace, online, opened, ask } = await openNestStage();
  const options = await workspace({ manualStart: true });
  const module = await Test.createTestingModule({
    imports: [MoleculeModule.forRoot(options)],
    providers: [Clerk],
  }).compile();
  const app = opened(await module.init());
  const agent = app.get<RemoteAgent>(getAgentToken());
  expect(agent.state).toBe('idle');
  void agent.start();
  await online(agent);
  expectAnswered(await ask(options.client.workspaceId, 'Open?'), 'Yes.');
});

verifies('nestjs.lifecycle.nothing-stays', 'lifecycle: nothing stays', async () => {
  const platform = await createPlatform({
    mode: 'dev',
    server: { port: 0 },
    data: { directory: ':memory:' },
  });
  const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
  const { id: workspaceId } = await operator.createWorkspace({ name: 'nest' });
  using state = temporaryState();
  const runOnce = async () => {
    const client = { platformUrl: platform.url, workspaceId, ...state };
    const root = moduleOf({
      imports: [MoleculeModule.forRoot({ enabled: true, client })],
      providers: [Clerk],
    });
    const app = await NestFactory.createApplicationContext(root, QUIET);
    const agent = app.get<RemoteAgent>(getAgentToken());
    await new Promise<void>((resolve) => agent.on('started', resolve));
    expectAnswered(await operator.sendMessage(workspaceId, 'Open?'), 'Yes.');
    await app.close();
  };
  const sockets = new Set<Socket>();
  const note = (event: unknown) => sockets.add((event as { socket: Socket }).socket);
  subscribe('net.client.socket', note);
  onTestFinished(() => {
    unsubscribe('net.client.socket', note);
  });
  await runOnce();
  const resources = () =>
    process.getActiveResourcesInfo().filter((name) => /Timeout|TCP|Port/.test(name)).length;
  const before = resources();
  for (let run = 0; run < 12; run += 1) await runOnce();
  // One for each restart would be 12; vitest has some of its own, which come and go.
  expect(resources()).toBeLessThan(before + 8);
  await operator.close();
  // Also those that would not keep a process running.
  expect(sockets.size).toBeGreaterThan(12);
  expect([...sockets].filter(({ destroyed }) => !destroyed)).toHaveLength(0);
  await platform.close();
});
