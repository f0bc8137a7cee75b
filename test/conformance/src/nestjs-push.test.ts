import 'reflect-metadata';
import dns from 'node:dns';
import { createServer, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { MemoryInboundStore, type RemoteAgent, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { expectAnswered, temporaryState } from '@molecule-ai/core/testing';
import {
  getAgentToken,
  MessageText,
  MoleculeModule,
  type MoleculeModuleOptions,
  OnMessage,
} from '@molecule-ai/nestjs';
import { createPlatform } from '@molecule-ai/platform';
import { Body, type CanActivate, Controller, type ExecutionContext, Post, type Type } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { expect, onTestFinished, vi } from 'vitest';
import { moduleOf, openNestStage, QUIET, withMore } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

/** Keeps requests without a key out, as the guard of an application does. */
class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType<string>() !== 'http') return true;
    return context.switchToHttp().getRequest().headers['x-key'] === 'open';
  }
}

class Clerk {
  @OnMessage() answer(@MessageText() text: string) {
    return `clerk: ${text.length > 100 ? text.length : text}`;
  }
}

class Supporter {
  @OnMessage({ agent: 'support' }) support(@MessageText() text: string) {
    return `support: ${text}`;
  }
}

@Controller('orders')
class OrdersController {
  @Post() create(@Body() body: unknown) {
    return { body };
  }
}

/** A platform with a server of its own, which pushes by HTTP. */
async function openPushStage() {
  const platform = await createPlatform({
    mode: 'dev',
    // The URL is named in the tokens of direct calls; nobody connects to it here.
    server: { port: 0, publicUrl: 'http://localhost' },
    data: { directory: ':memory:' },
  });
  const { url: platformUrl, operatorKey } = platform;
  const operator = new OperatorClient({ platformUrl, operatorKey });
  onTestFinished(async () => {
    await operator.close();
    await platform.close();
  });
  const workspace = async (name: string) => {
    const { id, authToken } = await operator.createWorkspace({ name });
    const state = temporaryState();
    onTestFinished(() => state.remove());
    const { storage } = state;
    const client = { platformUrl, workspaceId: id, authToken, storage, logger: silentLogger };
    return { enabled: true, client, agent: { store: new MemoryInboundStore() } };
  };
  const { client } = await workspace('caller');
  const caller = new RemoteAgentClient(client);
  onTestFinished(() => caller.close());
  await caller.register();
  return { operator, workspace, caller };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function applicationOf(options: MoleculeModuleOptions, support?: MoleculeModuleOptions) {
  const others = support === undefined ? [] : [MoleculeModule.forRoot({ ...support, name: 'support' })];
  const supporters = support === undefined ? [] : [Supporter];
  return moduleOf({
    imports: [MoleculeModule.forRoot(options), ...others],
    controllers: [OrdersController],
    providers: [Clerk, ...supporters, { provide: APP_GUARD, useClass: KeyGuard }],
  });
}

async function isPushedTo(agent: RemoteAgent): Promise<void> {
  const isPushed = () => agent.health().delivery === 'push';
  if (isPushed()) return;
  await new Promise<void>((resolve) => agent.on('delivery-changed', () => isPushed() && resolve()));
}

type Adapter = 'express' | 'fastify';

async function createApp(root: Type, adapter: Adapter) {
  const app =
    adapter === 'express'
      ? await NestFactory.create(root, QUIET)
      : await NestFactory.create<NestFastifyApplication>(root, new FastifyAdapter(), QUIET);
  onTestFinished(() => app.close());
  return app;
}

async function checkPush(adapter: Adapter, push: MoleculeModuleOptions['push']) {
  const { operator, workspace, caller } = await openPushStage();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [options, support] = [await workspace('clerk'), await workspace('support')];
  const root = applicationOf(
    withMore(options, { client: { reportedUrl: `${url}/a2a` }, push }),
    withMore(support, { client: { reportedUrl: `${url}/a2a/support` } }),
  );
  const app = await createApp(root, adapter);
  app.setGlobalPrefix('api');
  await app.listen(port, '127.0.0.1');
  for (const name of [undefined, 'support']) await isPushedTo(app.get<RemoteAgent>(getAgentToken(name)));

  const long = 'x'.repeat(300_000); // more than body parsers take
  const answered = await operator.sendMessage(options.client.workspaceId, long);
  expectAnswered(answered, 'clerk: 300000');
  const direct = await caller.callPeer(options.client.workspaceId, 'hello');
  expect([direct.via, direct.text]).toEqual(['direct', 'clerk: hello']);
  const other = await caller.callPeer(support.client.workspaceId, 'hello');
  expect([other.via, other.text]).toEqual(['direct', 'support: hello']);

  const post = async (path: string, headers: Record<string, string>, body: unknown) => {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    };
    const response = await fetch(`${url}${path}`, init);
    const isJson = response.headers.get('content-type')?.includes('json');
    return [response.status, isJson ? ((await response.json()) as Record<string, unknown>) : {}] as const;
  };
  const [refused, problem] = await post('/a2a', {}, { text: 'without a token' });
  expect([refused, Reflect.get(Object(problem.error), 'code') ?? problem.code]).toEqual([401, -32000]);
  const card = await fetch(`${url}/a2a/.well-known/agent-card.json`);
  expect(card.status).toBe(200);
  const [created, { body }] = await post('/api/orders', { 'x-key': 'open' }, { name: 'tea' });
  expect([created, body]).toEqual([201, { name: 'tea' }]);
  expect((await post('/api/orders', {}, {}))[0]).toBe(403);
  expect((await post('/a2a-other', { 'x-key': 'open' }, {}))[0]).toBe(404);
  expect((await post('/api/orders', { 'x-key': 'open' }, { long: 'x'.repeat(2_000_000) }))[0]).toBe(413);
}

verifies('nestjs.push.own-server', 'push: express', () => checkPush('express', undefined));

verifies('nestjs.push.own-server', 'push: fastify', () =>
  checkPush('fastify', { path: '/a2a/', maxConcurrentRequests: 8 }),
);

/** The status and the body of a response. `target` is what the first line of the request has. */
async function postTo(host: string, port: number, target: string, headers: Record<string, string> = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<readonly [number | undefined, string]>();
  const sent = request({ host, port, path: target, method: 'POST', headers, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => resolve([response.statusCode, Buffer.concat(chunks).toString()]));
  });
  sent.on('error', reject);
  sent.end('{"text":"without a token"}');
  return promise;
}

/** As on a machine where `localhost` has two addresses: Fastify listens on each by a server of its own. */
function withTwoAddresses(): void {
  const { lookup } = dns;
  const both = [
    { address: '127.0.0.1', family: 4 },
    { address: '127.0.0.2', family: 4 },
  ];
  const fake = (host: string, options: { all?: boolean }, done: (...values: unknown[]) => void) =>
    host === 'localhost' && options.all === true
      ? done(null, both)
      : Reflect.apply(lookup, dns, [host, options, done]);
  const spy = vi.spyOn(dns, 'lookup').mockImplementation(fake as never);
  onTestFinished(() => spy.mockRestore());
}

verifies('nestjs.push.own-server', 'push: before application', async () => {
  withTwoAddresses();
  const { workspace } = await openNestStage();
  for (const adapter of ['express', 'fastify'] as const) {
    const options = withMore(await workspace(), {
      client: { reportedUrl: 'http://127.0.0.1:9/a2a' },
      manualStart: true,
    });
    const app = await createApp(applicationOf(options), adapter);
    let addresses = () => ['localhost'];
    const seen: string[] = [];
    const keepsOut = (_request: unknown, response: ServerResponse, _next: () => void) => {
      seen.push('middleware');
      response.writeHead(418).end();
    };
    app.use(keepsOut);
    app.enableCors();
    if (adapter === 'fastify') {
      const fastify = (app as NestFastifyApplication).getHttpAdapter().getInstance();
      for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend'] as const) {
        fastify.addHook(hook, async () => void seen.push(hook));
      }
      addresses = () => (fastify.addresses() as AddressInfo[]).map(({ address }) => address);
    }
    let once = 0;
    app.getHttpServer().once('request', () => {
      once += 1;
    });
    await app.listen(0, 'localhost');
    const { port } = app.getHttpServer().address() as AddressInfo;
    for (const address of addresses()) {
      for (const type of ['application/json', 'garbage', ';', '']) {
        const [status, body] = await postTo(address, port, '/a2a', { 'content-type': type });
        expect([status, JSON.parse(body).error.code], `${adapter} ${address} ${type}`).toEqual([401, -32000]);
      }
      const headers = { origin: 'https://elsewhere.example', host: `localhost:${port}` };
      const init = { method: 'OPTIONS', headers };
      const preflight = await fetch(`http://localhost:${port}/a2a`, init);
      expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null]);
      for (const target of [`http://orders.example:${port}/a2a`, 'HTTPS://orders.example/a2a?x=1']) {
        expect((await postTo(address, port, target))[0], `${adapter} ${target}`).toBe(401);
      }
      expect(seen).toEqual([]);
      expect((await postTo(address, port, 'http://orders.example/orders'))[0]).toBe(418);
      expect((await postTo(address, port, '/orders'))[0]).toBe(418);
      expect(seen.splice(0)).toContain('middleware');
    }
    // A listener that was there before, and wanted one request.
    expect(once).toBe(1);
  }
});

/** Sends the bytes and collects what is received; `received` resolves when the connection is closed. */
function sendRaw(port: number, bytes: string) {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  let text = '';
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  socket.on('data', (chunk) => {
    text += chunk.toString();
    begun.resolve();
  });
  socket.on('error', () => {});
  socket.on('close', () => ended.resolve(text));
  onTestFinished(() => void socket.destroy());
  return { begun: begun.promise, received: ended.promise };
}

verifies('nestjs.lifecycle.drains-first', 'push: unfinished request', async () => {
  const { workspace } = await openNestStage();
  for (const adapter of ['express', 'fastify'] as const) {
    const sharedSecret = 'the-secret-of-the-test';
    const options = await workspace({
      client: { reportedUrl: 'http://127.0.0.1:9/a2a' },
      manualStart: true,
      agent: { inboundAuth: { sharedSecret } },
    });
    const head = (expected: string) =>
      `POST /a2a HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${sharedSecret}\r\n${expected}content-length: 1000\r\n\r\n`;
    let late = '';
    class Database {
      async beforeApplicationShutdown() {
        late = await sendRaw(port, `${head('')}{`).received;
      }
    }
    const root = moduleOf({ imports: [MoleculeModule.forRoot(options)], providers: [Clerk, Database] });
    const app = await createApp(root, adapter);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const { begun, received } = sendRaw(port, head('expect: 100-continue\r\n'));
    await begun; // the agent waits for the body
    await app.close();
    expect(await received).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    expect(late).toMatch(/^HTTP\/1.1 503 .*"code":"not_accepting"}/s);
  }
});

@Controller('a2a')
class RouteAtPath {
  @Post() create() {
    return 'of the application';
  }
}

@Controller('a2a/orders')
class RouteBelowPath {
  @Post() create() {
    return 'of the application';
  }
}

verifies('nestjs.push.own-server', 'push: routes below', async () => {
  const { workspace } = await openNestStage();
  const start = async (adapter: Adapter, controllers: Type[]) => {
    const options = withMore(await workspace(), {
      client: { reportedUrl: 'http://127.0.0.1:9/a2a' },
      manualStart: true,
    });
    const imports = [MoleculeModule.forRoot(options)];
    const app = await createApp(moduleOf({ imports, controllers, providers: [Clerk] }), adapter);
    await app.listen(0, '127.0.0.1');
    return (app.getHttpServer().address() as AddressInfo).port;
  };
  for (const adapter of ['express', 'fastify'] as const) {
    const port = await start(adapter, [RouteBelowPath]);
    expect((await postTo('127.0.0.1', port, '/a2a/orders'))[0], adapter).toBe(401);
  }
  const port = await start('express', [RouteAtPath]);
  expect((await postTo('127.0.0.1', port, '/a2a'))[0]).toBe(401);
  const error = await start('fastify', [RouteAtPath]).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    name: 'ConfigurationError',
    message: 'MoleculeModule: the application has a route of its own at /a2a, the path of push.',
  });
});

verifies('nestjs.modules.named', 'push: several agents', async () => {
  const { workspace } = await openNestStage();
  for (const adapter of ['express', 'fastify'] as const) {
    const options = withMore(await workspace(), { client: { reportedUrl: 'http://127.0.0.1:9/a2a' } });
    const support = withMore(await workspace(), {
      client: { reportedUrl: 'http://127.0.0.1:9/other' },
      push: { path: '/a2a' },
    });
    const app = await createApp(applicationOf(options, support), adapter);
    await expect(app.init()).rejects.toThrow(
      'Two agents have the path /a2a for push: the agent without a name and the agent "support".',
    );
  }
});

verifies('nestjs.modules.options', 'push: misconfigured', async () => {
  const { workspace } = await openNestStage();
  const reportedUrl = 'http://127.0.0.1:9/a2a';
  const wrong: readonly [MoleculeModuleOptions, RegExp][] = [
    [{ push: { path: '/a2a' } }, /`push` needs `reportedUrl`/],
    [{ push: { path: 'a2a' }, client: { reportedUrl } }, /`push.path` must be a path of its own, got "a2a"/],
    [{ push: { path: '/' }, client: { reportedUrl } }, /`push.path`/],
    [{ push: { path: '/:agent' }, client: { reportedUrl } }, /`push.path`/],
    [{ push: { path: '/..' }, client: { reportedUrl } }, /`push.path`/],
    [{ push: { path: '/a2a/./orders' }, client: { reportedUrl } }, /`push.path`/],
    [{ push: {}, client: { reportedUrl: 'http://127.0.0.1:9/' } }, /`reportedUrl` has no path/],
    [
      { push: {}, client: { reportedUrl }, agent: { delivery: 'long-poll' } },
      /`push` and a delivery other than/,
    ],
    [{ push: { maxConcurrentRequests: 0 }, client: { reportedUrl } }, /maxConcurrentRequests/],
    [{ push: false, client: { reportedUrl } }, /nothing serves the agent there/],
  ];
  for (const [options, message] of wrong) {
    const app = await createApp(applicationOf(await workspace(options), undefined), 'express').catch(
      (error: unknown) => error as Error,
    );
    const start = app instanceof Error ? Promise.reject(app) : app.init();
    await expect(start, JSON.stringify(options)).rejects.toThrow(message);
  }
  for (const [options, message] of [
    [{ push: {}, client: { reportedUrl } }, /`push` needs an HTTP server, and this application has none/],
    [{ client: { reportedUrl } }, /MoleculeModule: .*nothing serves the agent there/],
  ] as const) {
    const root = applicationOf(await workspace(options));
    await expect(NestFactory.createApplicationContext(root, QUIET)).rejects.toThrow(message);
  }
  await expect(
    createApp(applicationOf(await workspace({ push: 'yes' as never })), 'express'),
  ).rejects.toThrow("push must be an object such as { path: '/a2a' }, or false.");
});
