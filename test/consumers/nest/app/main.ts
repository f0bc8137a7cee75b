import 'reflect-metadata';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { scriptedPeer, temporaryState } from '@molecule-ai/core/testing';
import { getAgentToken, getMoleculeClientToken, MessageText } from '@molecule-ai/nestjs';
import { createPlatform } from '@molecule-ai/platform';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommonJsLedger, CommonJsText } from 'commonjs-library';
import { ModuleLedger, ModuleText } from 'module-library';
import { AppModule } from './app.module.js';
import { leftOut } from './left-out.js';
import { Stock } from './stock.js';

async function main(): Promise<void> {
  const platform = await createPlatform({
    mode: 'dev', // The URL is named in the tokens of direct calls.
    server: { port: 0, publicUrl: 'http://localhost' },
    data: { directory: ':memory:' },
  });
  const connection = { platformUrl: platform.url, operatorKey: platform.operatorKey };
  const operator = new OperatorClient(connection);
  // Before the variables of the environment are those of the application.
  const peer = await scriptedPeer(connection, { name: 'peer' });
  const { id, authToken } = await operator.createWorkspace({ name: 'stock' });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const state = temporaryState();
  process.env.MOLECULE_PLATFORM_URL = platform.url;
  process.env.MOLECULE_WORKSPACE_ID = id;
  process.env.MOLECULE_WORKSPACE_TOKEN = authToken ?? '';
  process.env.MOLECULE_REPORTED_URL = `${url}/a2a`;
  process.env.MOLECULE_STATE_DIR = state.storage.directory;

  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  app.useGlobalPipes(new ValidationPipe({ transform: true }));
  await app.listen(port, '127.0.0.1');
  const agent = app.get<RemoteAgent>(getAgentToken());
  await pushed(agent);

  const ask = async (text: string) => {
    const { status, text: answer, code, via } = await peer.client.callPeer(id, text);
    return { status, answer, code, via };
  };
  const reserve = async (count: number) => {
    // In the form of the Python SDK; the response to a push is the answer.
    const response = await fetch(`${platform.url}/workspaces/${id}/a2a`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${platform.operatorKey}` },
      body: JSON.stringify({ method: 'delegate_task', params: { text: 'Reserve it.', item: 'tea', count } }),
    });
    return response.json();
  };
  const get = async (key: string) => {
    const response = await fetch(`${url}/stock/tea`, { headers: { 'x-key': key } });
    return [response.status, await response.json()];
  };
  let streamed = '';
  for await (const piece of operator.streamMessage(id, 'tea milk')) streamed += piece;

  const client = app.get<RemoteAgentClient>(getMoleculeClientToken());
  const ledgers = [app.get(CommonJsLedger), app.get(ModuleLedger)];
  const report = {
    delivery: agent.health().delivery,
    peers: [await ask('one please'), await ask('two please'), await ask('three')],
    reserved: [await reserve(2), await reserve(0)],
    streamed,
    routes: [await get('open'), await get('closed')],
    ledgers: ledgers.map((ledger) => ({ sameClient: ledger.client === client, entries: ledger.entries })),
    // The copy of the package that each library has, beside that of the application.
    sameCopy: [CommonJsText, ModuleText].map((copy) => copy === MessageText),
    leftOut: await leftOut(),
  };
  await app.close();
  await peer.stop();
  await operator.close();
  await platform.close();
  state.remove();
  // Nothing ends the process: it does when nothing is open.
  process.stdout.write(JSON.stringify({ ...report, closed: app.get(Stock).isClosed }));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function pushed(agent: RemoteAgent): Promise<void> {
  const isPushed = () => agent.health().delivery === 'push';
  if (isPushed()) return;
  await new Promise<void>((resolve) => agent.on('delivery-changed', () => isPushed() && resolve()));
}

void main();
