import 'reflect-metadata';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RemoteAgent } from '@molecule-ai/core';
import { getAgentToken, MoleculeModule } from '@molecule-ai/nestjs';
import { type INestApplicationContext, Module, type Type } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { OfficeModule } from './nestjs-agents.ts';
import { AppModule } from './nestjs-app.ts';
import { Stock } from './nestjs-enhancers.ts';
import { MoleculeErrorFilter } from './nestjs-filter.ts';
import { Desk, Shop } from './nestjs-handlers.ts';
import { HealthController } from './nestjs-health.ts';
import { bootstrap as bootstrapMain } from './nestjs-main.ts';
import { bootstrap } from './nestjs-microservice.ts';
import { PeersController, Planner } from './nestjs-peers.ts';
import { testOrderDesk } from './nestjs-test.ts';
import { testPlanner } from './nestjs-unit-test.ts';
import type { Stage } from './stage.ts';

/** Applications of Nest: one agent, two agents, each kind of handler, and errors. */
export async function checkNest({ member, agent, operator, platform, folder, onEnd }: Stage): Promise<void> {
  const opened = async (root: Type, ...names: (string | undefined)[]): Promise<INestApplicationContext> => {
    const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
    onEnd(() => app.close());
    for (const name of names) await started(app.get(getAgentToken(name)));
    return app;
  };
  await testPlanner();
  const one = await member('orders');
  Object.assign(process.env, { MOLECULE_PLATFORM_URL: platform.url, MOLECULE_WORKSPACE_ID: one.id });
  process.env.MOLECULE_STATE_DIR = join(folder, one.id);
  const app = await opened(AppModule, undefined);
  for (const name of ['PLATFORM_URL', 'WORKSPACE_ID', 'STATE_DIR']) delete process.env[`MOLECULE_${name}`];
  assert.equal((await operator.sendMessage(one.id, 'A-17')).text, 'Order A-17 was shipped yesterday.');
  await app.close();

  const optionsOf = async (name: string) => {
    const { id } = await member(name);
    const storage = { directory: join(folder, id) };
    return { platformUrl: platform.url, workspaceId: id, storage, agentCard: { name } };
  };
  const [sales, support] = [await optionsOf('sales'), await optionsOf('support')];
  process.env.MOLECULE_PLATFORM_URL = platform.url;
  for (const { agentCard, workspaceId, storage } of [sales, support]) {
    process.env[`${agentCard.name.toUpperCase()}_WORKSPACE_ID`] = workspaceId;
    process.env[`${agentCard.name.toUpperCase()}_STATE_DIR`] = storage.directory;
  }
  await opened(OfficeModule, undefined, 'support');
  delete process.env.MOLECULE_PLATFORM_URL;
  assert.equal((await operator.sendMessage(sales.workspaceId, 'tea')).text, 'Sold: tea.');
  assert.equal((await operator.sendMessage(support.workspaceId, 'hello')).text, 'This is support.');

  const desk = await optionsOf('desk');
  await opened(moduleOf(desk, Desk), undefined);
  const peer = await agent('peer', () => 'ok');
  assert.match((await peer.client.callPeer(desk.workspaceId, 'Hello')).text, /^You wrote \d+ characters/);
  const headers = { 'Content-Type': 'application/json' };
  const params = { word: 'tea', text: 'tea for two' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'delegate_task', params });
  const task = `${platform.url}/workspaces/${desk.workspaceId}`;
  const accepted = await (await fetch(`${task}/a2a`, { method: 'POST', headers, body })).text();
  // The first response is the result where it comes soon enough.
  const messageId = /"message_id":"([^"]+)"/.exec(accepted)?.[1];
  const result =
    messageId === undefined ? accepted : await (await fetch(`${task}/messages/${messageId}?wait=30`)).text();
  assert.match(result, /\w+: 1"/);
  const pieces: string[] = [];
  for await (const piece of operator.streamMessage(desk.workspaceId, 'one two')) pieces.push(piece);
  assert.equal(pieces.join(''), 'one two');

  const shop = await optionsOf('shop');
  await opened(moduleOf(shop, Shop), undefined);
  const asked = await operator.sendMessage(shop.workspaceId, 'tea');
  assert.equal(asked.status, 'input-required');
  const [question] = await operator.listQuestions(shop.workspaceId);
  await operator.answerQuestion(shop.workspaceId, question?.id ?? '', { decision: 'approve' });
  assert.equal((await operator.waitForAnswer(shop.workspaceId, asked.messageId)).text, 'Bought.');

  const stock = await optionsOf('stock');
  await opened(moduleOf(stock, Stock), undefined);
  assert.equal((await peer.client.callPeer(stock.workspaceId, 'tea')).text, 'Reserved: tea.');
  const refused = await peer.client.callPeer(stock.workspaceId, 'unicorn');
  assert.deepEqual([refused.status, refused.code], ['failed', 'not_found']);
  assert.equal(refused.text, 'There are no unicorns.');
  console.log('✓ Nest: one agent and two in an application, each kind of handler, guards and errors');

  const rest = await optionsOf('rest');
  class RestModule {}
  Module({
    imports: [MoleculeModule.forRoot({ client: rest }), TerminusModule.forRoot({ logger: false })],
    controllers: [PeersController, HealthController],
    providers: [Planner, { provide: APP_FILTER, useClass: MoleculeErrorFilter }],
  })(RestModule);
  const http = await NestFactory.create(RestModule, { logger: false, abortOnError: false });
  onEnd(() => http.close());
  await http.listen(0, '127.0.0.1');
  await started(http.get(getAgentToken()));
  const url = await http.getUrl();
  const read = async (path: string): Promise<string> => (await fetch(`${url}/${path}`)).text();
  assert.equal(JSON.parse(await read('health')).status, 'ok');
  assert.ok(JSON.parse(await read('peers')).some(({ id }: { id: string }) => id === peer.id));
  assert.match(JSON.parse(await read(`peers/${peer.id}/ask`)).reply, /^<peer-text-/);
  assert.match(await read(`peers/${peer.id}/stream`), /data: ok/);
  const unknown = await fetch(`${url}/peers/${randomUUID()}/ask`);
  assert.deepEqual([unknown.status, await unknown.json()], [403, { statusCode: 403, code: 'access_denied' }]);
  const notAnId = await fetch(`${url}/peers/nobody/ask`);
  assert.deepEqual(
    [notAnId.status, await notAnId.json()],
    [400, { statusCode: 400, code: 'request_rejected' }],
  );
  assert.ok((await operator.sendMessage(rest.workspaceId, 'What is new?')).status);

  const tasks = await member('tasks');
  Object.assign(process.env, { MOLECULE_PLATFORM_URL: platform.url, MOLECULE_WORKSPACE_ID: tasks.id });
  process.env.MOLECULE_STATE_DIR = join(folder, tasks.id);
  const microservice = await bootstrap();
  for (const name of ['PLATFORM_URL', 'WORKSPACE_ID', 'STATE_DIR']) delete process.env[`MOLECULE_${name}`];
  await started(microservice.get(getAgentToken()));
  assert.equal((await operator.sendMessage(tasks.id, 'Hello')).text, 'echo: Hello');
  assert.equal((await operator.sendMessage(tasks.id, `ask ${peer.id}`)).text, 'ok');
  await microservice.close();
  await testOrderDesk();
  await endsWithItsAgent(platform.url, one.id);
  console.log('✓ Nest: peers from REST routes, health, a microservice and a test of an application');
}

/** A process whose agent cannot start has the exit code of a failure. */
async function endsWithItsAgent(url: string, id: string): Promise<void> {
  const wrong = `mol_${'x'.repeat(40)}`;
  const state = mkdtempSync(join(tmpdir(), 'nestjs-main-'));
  const variables = {
    MOLECULE_PLATFORM_URL: url,
    MOLECULE_WORKSPACE_ID: id,
    MOLECULE_WORKSPACE_TOKEN: wrong,
  };
  Object.assign(process.env, variables, { MOLECULE_STATE_DIR: state });
  const app = await bootstrapMain();
  const agent = app.get<RemoteAgent>(getAgentToken());
  await assert.rejects(agent.closed, { code: 'unauthorized' });
  await app.close();
  assert.equal(process.exitCode, 1);
  process.exitCode = undefined;
  for (const name of [...Object.keys(variables), 'MOLECULE_STATE_DIR']) delete process.env[name];
  rmSync(state, { recursive: true });
}

function moduleOf(client: object, provider: Type): Type {
  class Root {}
  Module({ imports: [MoleculeModule.forRoot({ client })], providers: [provider] })(Root);
  return Root;
}

async function started(agent: RemoteAgent): Promise<void> {
  if (agent.state === 'running') return;
  await new Promise<void>((resolve) => agent.on('started', resolve));
}
