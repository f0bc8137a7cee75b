import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CountedCalls, countCalls, startCounting } from './counted-calls.ts';

/**
 * The way of one message, the third after two that warm up: what ran for it, by package. Run as a process of its own; prints JSON. Functions of the
 * sender and of the driver are not ours and do not count.
 */
export type Trips = Readonly<Record<'polled' | 'pushed', Readonly<Record<string, CountedCalls>>>>;

const SETTLE_MS = 1_000;

countCalls();
const { createPlatform } = await import('@molecule-ai/platform');
const { RemoteAgentClient, createRemoteAgent, MemoryInboundStore, MemoryTokenStore, silentLogger } =
  await import('@molecule-ai/core');

const platform = await createPlatform({ mode: 'dev', data: { directory: ':memory:' }, server: { port: 0 } });
const trips: Trips = { polled: await polled(), pushed: await pushed() };
await platform.close();
console.log(JSON.stringify(trips));
process.exit();

async function polled(): Promise<Trips['polled']> {
  const { id, token } = await createWorkspace('polling');
  const client = new RemoteAgentClient({
    workspaceId: id,
    authToken: token,
    platformUrl: platform.url,
    storage: { tokenStore: new MemoryTokenStore() },
    logger: silentLogger,
  });
  const agent = createRemoteAgent({
    client,
    store: new MemoryInboundStore(),
    onMessage: (message) => `echo ${message.text}`,
  });
  await agent.start();
  const counted = await countThird(id);
  await agent.stop();
  await client.close();
  return counted;
}

async function pushed(): Promise<Trips['pushed']> {
  const { id, token } = await createWorkspace('pushed');
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request.setEncoding('utf8')) text += part;
    const result = {
      kind: 'message',
      role: 'agent',
      messageId: crypto.randomUUID(),
      parts: [{ kind: 'text', text: 'hi' }],
    };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(text || '{}').id ?? null, result }));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const card = { name: 'pushed', description: '', skills: [] };
  await request('/registry/register', { id, url, delivery_mode: 'push', agent_card: card }, token);
  const counted = await countThird(id);
  server.close();
  server.closeAllConnections();
  return counted;
}

async function countThird(workspaceId: string): Promise<Readonly<Record<string, CountedCalls>>> {
  for (const text of ['one', 'two']) {
    await request(`/workspaces/${workspaceId}/a2a`, { text });
    await sleep(SETTLE_MS);
  }
  const stop = startCounting();
  await request(`/workspaces/${workspaceId}/a2a`, { text: 'three' });
  await sleep(SETTLE_MS / 2);
  return Object.fromEntries(stop());
}

async function createWorkspace(name: string): Promise<{ readonly id: string; readonly token: string }> {
  const { id, connection } = await request('/workspaces', { name });
  return { id, token: connection.auth_token };
}

async function request(path: string, body: object, token = platform.operatorKey) {
  const response = await fetch(`${platform.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} responded with ${response.status}: ${await response.text()}`);
  // biome-ignore lint/suspicious/noExplicitAny: a response of our own platform
  return (await response.json()) as any;
}
