import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HandlerContext } from '@molecule-ai/core';
import { createRemoteAgent, type RemoteAgent } from '@molecule-ai/core';
import { createLangChainHandler } from '@molecule-ai/langchain';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import express from 'express';
import fastify from 'fastify';
import { createAgent, FakeToolCallingModel } from 'langchain';
import { chatForUsers, moleculeClient, ownRoute } from './next-chat.ts';
import type { Stage } from './stage.ts';
import { payTool, withContext } from './tools-once.ts';
import { endOnSigterm, joinExpress, joinFastify } from './your-server.ts';

/** An agent in a server of Express and of Fastify, the routes of Next.js, and a tool that has its effect once. */
export async function checkYourServer(stage: Stage): Promise<void> {
  const { member, agent, operator } = stage;
  const lab = await agent('lab-of-server', () => '990 of 1000 pass.');
  const shop = await member('shop');
  const app = express();
  const running = await joinExpress(app, shop.client, lab.id);
  await online(running);
  const server = createServer(app).listen(0, '127.0.0.1');
  endOnSigterm(server, running, shop.client);
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const asked = await fetch(`${url}/ask?q=Can%20we%20ship`);
  assert.deepEqual(await asked.json(), { status: 'answered', text: '990 of 1000 pass.' });
  assert.equal((await operator.sendMessage(shop.id, 'Hello')).text, 'The shop has read: Hello');
  assert.match(await (await fetch(`${url}/health`)).text(), /"state":"running"/);

  process.emit('SIGTERM');
  assert.equal(await running.closed, 'stopped');
  assert.equal(server.listening, false);

  const fast = fastify();
  const second = await member('fast-shop');
  const joined = await joinFastify(fast, second.client);
  await online(joined);
  assert.equal((await operator.sendMessage(second.id, 'Hello')).text, 'The shop has read: Hello');
  await fast.close();
  assert.equal(await joined.closed, 'stopped');
  console.log('✓ join: agents in servers of Express and of Fastify, which end with them');

  await checkNext(stage);
  await checkOnce(stage);
}

/** Until it has joined in the background. */
async function online(agent: RemoteAgent): Promise<void> {
  if (agent.state !== 'running') await new Promise<void>((resolve) => agent.on('started', () => resolve()));
}

async function checkNext({ platform, member, onEnd }: Stage): Promise<void> {
  assert.throws(() => moleculeClient(), /MOLECULE_PLATFORM_URL/); // as in `next build`, where nothing calls it
  const { id, token } = await member('next');
  const variables = {
    MOLECULE_PLATFORM_URL: platform.url,
    MOLECULE_WORKSPACE_ID: id,
    MOLECULE_WORKSPACE_TOKEN: token,
  };
  Object.assign(process.env, variables);
  onEnd(async () => moleculeClient().close());
  const model = new ScriptedLanguageModel(() => 'Hello there.');
  const userOf = async ({ headers }: Request) => headers.get('x-user') ?? undefined;
  const chat = chatForUsers(userOf, model);
  const request = (headers: Record<string, string>) => {
    const message = { id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Hi' }] };
    const body = JSON.stringify({ id: 'chat-1', messages: [message] });
    return new Request('http://localhost/api/chat', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
  };
  assert.equal((await chat(request({}))).status, 401);
  assert.match(await (await chat(request({ 'x-user': 'ada' }))).text(), /"delta":"Hello "/);
  assert.match(await (await ownRoute(request({}), model)).text(), /"delta":"Hello "/);
  for (const name of Object.keys(variables)) delete process.env[name];
  console.log('✓ join: a chat is for users that are signed in, and its client is made by the first request');
}

async function checkOnce({ member, operator, onEnd }: Stage): Promise<void> {
  const paid: string[] = [];
  const pay = payTool(async (order) => `Paid ${paid.push(order)}.`);
  const call = { name: 'pay', args: { order: 'A-17' }, type: 'tool_call' } as const;
  const model = new FakeToolCallingModel({
    toolCalls: [[{ ...call, id: 'call_0' }], [], [{ ...call, id: 'call_1' }], []],
  });
  const handle = createLangChainHandler(createAgent({ model, tools: [pay] }));
  let context: HandlerContext | undefined;
  const onMessage = withContext(
    Object.assign(
      async (...[message, given]: Parameters<typeof handle>) => {
        context = given;
        const answer = await handle(message, given);
        if (given.attempt === 1) throw new Error('interrupted after the payment');
        return answer;
      },
      { onAnswer: handle.onAnswer },
    ),
  );
  const till = await member('till-with-tools');
  const agent = createRemoteAgent({ client: till.client, onMessage, retry: { delayMs: 1 } });
  onEnd(() => agent.stop());
  await agent.start();
  assert.equal((await operator.sendMessage(till.id, 'Pay A-17')).status, 'answered');
  assert.equal(context?.attempt, 2);
  assert.deepEqual(paid, ['A-17']);
  console.log('✓ join: a tool that ran in two attempts had its effect once');
}
