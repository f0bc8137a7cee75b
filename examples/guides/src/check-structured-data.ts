import assert from 'node:assert/strict';
import { join } from 'node:path';
import { getAgentToken } from '@molecule-ai/nestjs';
import { NestFactory } from '@nestjs/core';
import { FakeToolCallingModel } from 'langchain';
import { OrderModule } from './nestjs-skill.ts';
import type { Stage } from './stage.ts';
import { orderDesk, orderTea, orderWithoutTypes, shopper } from './structured-data.ts';

/** An order desk of core and one of NestJS, asked by a program with types, one without, a model of LangChain, and a request as curl sends it. */
export async function checkStructuredData({ member, platform, folder, onEnd }: Stage): Promise<void> {
  const desk = await member('order desk');
  const agent = orderDesk(desk.client);
  onEnd(() => agent.stop());
  await agent.start();
  const { client } = await member('shop');
  await client.register();
  const nest = await member('order desk of NestJS');
  const variables = {
    MOLECULE_PLATFORM_URL: platform.url,
    MOLECULE_WORKSPACE_ID: nest.id,
    MOLECULE_WORKSPACE_TOKEN: nest.token,
    MOLECULE_STATE_DIR: join(folder, nest.id),
  };
  Object.assign(process.env, variables);
  const app = await NestFactory.createApplicationContext(OrderModule, { logger: false });
  for (const name of Object.keys(variables)) delete process.env[name];
  onEnd(() => app.close());
  const running = app.get(getAgentToken());
  if (running.state !== 'running')
    await new Promise<void>((resolve) => running.on('started', () => resolve()));

  for (const { id } of [desk, nest]) {
    assert.equal(await orderTea(client, id), 900);
    assert.deepEqual(Object.keys(Object(await orderWithoutTypes(client, id))), ['number', 'cents']);
    const call = {
      name: 'order',
      args: { article: 'tea', count: 3 },
      id: 'call_0',
      type: 'tool_call',
    } as const;
    const model = new FakeToolCallingModel({ toolCalls: [[call], []] });
    const { messages } = await shopper(client, model, id).invoke({ messages: 'Order three teas.' });
    assert.match(String(messages.at(-1)?.content), /"cents":1350/);
    const sent = await fetch(`${platform.url}/workspaces/${id}/a2a`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        parts: [{ kind: 'data', data: { article: 'tea', count: 1 } }],
        metadata: { skill: 'order' },
      }),
    });
    assert.match(await sent.text(), /"cents":450/);
  }
  console.log(
    '✓ data: an order desk of core and one of NestJS, asked with types, without, by a model and by a request',
  );
}
