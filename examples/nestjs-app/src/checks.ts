import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { RunningApplication, Stage } from './stage.ts';
import type { Supplier } from './supplier.ts';

const IN_FLIGHT = 50;

/** What the application did before: a guard, validation, its own form of errors. */
export async function checkRest({ request }: RunningApplication): Promise<void> {
  const tea = { item: 'tea', quantity: 3 };
  assert.equal((await request('POST', '/orders', tea, 'wrong')).status, 401);
  const refused = await request('POST', '/orders', { item: 'tea', quantity: 'many' });
  assert.equal(refused.status, 400);
  assert.match(
    ((await refused.json()) as { details: string[] }).details.join(),
    /quantity must be an integer/,
  );
  const placed = await request('POST', '/orders', tea);
  assert.deepEqual([placed.status, await placed.json()], [201, { id: 1, ...tea }]);
  assert.deepEqual(await (await request('GET', '/orders/1')).json(), { id: 1, ...tea });
  assert.equal((await request('GET', '/orders/99')).status, 404);
  console.log('✓ REST routes are guarded and validated as before');
}

/** Messages by push on the server of the application, directly and through the platform. */
export async function checkMessages({ customer, operator, applicationId }: Stage): Promise<void> {
  assert.equal((await operator.getWorkspace(applicationId)).deliveryMode, 'push');
  const status = await customer.callPeer(applicationId, 'status 1');
  assert.deepEqual([status.via, status.text], ['direct', 'Order 1: 3 × tea']);
  const ordered = await customer.callPeer(applicationId, 'order 2 milk', { via: 'proxy' });
  assert.deepEqual([ordered.via, ordered.text], ['proxy', 'Order 2: 2 × milk']);
  console.log('✓ a peer is answered, by push on the server of the application');

  const refusals = [
    ['status 99', 'not_found', 'There is no order 99.'],
    ['order 1 unicorn', 'conflict', 'There is no unicorn in stock.'],
    ['hello', 'bad_request', 'Write "status 17" or "order 3 tea".'],
  ] as const;
  for (const [text, code, reason] of refusals) {
    const reply = await customer.callPeer(applicationId, text);
    assert.deepEqual([reply.status, reply.code, reply.text], ['failed', code, reason]);
  }
  console.log('✓ exceptions of the service and of a pipe reach the sender as one sentence, at once');
}

/** The form of the Python SDK, with params that the `ValidationPipe` of the application validates. */
export async function checkTasks({ platform, operator, applicationId }: Stage): Promise<void> {
  const delegate = async (order: object) => {
    const messageId = randomUUID();
    const message = { messageId };
    await fetch(`${platform.url}/workspaces/${applicationId}/a2a`, {
      method: 'POST',
      headers: { authorization: `Bearer ${platform.operatorKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ method: 'delegate_task', params: { ...order, message } }),
    });
    return operator.waitForAnswer(applicationId, messageId);
  };
  assert.equal((await delegate({ item: 'sugar', quantity: 1 })).text, 'Order 3: 1 × sugar');
  const refused = await delegate({ item: 'sugar', quantity: 0 });
  assert.deepEqual([refused.status, refused.code], ['failed', 'bad_request']);
  assert.match(refused.text, /quantity must not be less than 1/);
  console.log('✓ params of a task are validated as the body of a request is');
}

export async function checkStreams(stage: Stage, { request }: RunningApplication): Promise<void> {
  const { operator, applicationId, supplierId } = stage;
  const pieces: string[] = [];
  for await (const piece of operator.streamMessage(applicationId, 'What was ordered?')) pieces.push(piece);
  assert.equal(
    pieces.join(''),
    'The latest 3 orders:\nOrder 3: 1 × sugar\nOrder 2: 2 × milk\nOrder 1: 3 × tea',
  );
  const events = await (await request('GET', `/suppliers/${supplierId}/answers?text=News%3F`)).text();
  const data = [...events.matchAll(/^data: (.*)$/gm)].map(([, piece]) => piece);
  assert.ok(data.length > 1, events);
  assert.equal(data.join(''), 'Tea is cheap.');
  console.log('✓ a person reads a streamed answer, and a REST client that of a peer as events');
}

export async function checkPeerOfRest({ supplierId }: Stage, { request }: RunningApplication): Promise<void> {
  const path = `/suppliers/${supplierId}/questions`;
  assert.equal((await request('POST', path, { text: 'News?' }, 'wrong')).status, 401);
  assert.equal((await request('POST', path, { text: 7 })).status, 400);
  const asked = await request('POST', path, { text: 'News?' });
  assert.deepEqual([asked.status, await asked.json()], [200, { status: 'answered', text: 'Tea is cheap.' }]);
  const peers = (await (await request('GET', '/suppliers')).json()) as { id: string }[];
  assert.ok(peers.some(({ id }) => id === supplierId));
  console.log('✓ a REST route asks a peer');
}

/** The database is closed after the last handler, and each sender has its answer. */
export async function checkShutdown(
  { customer, applicationId, databaseFile }: Stage,
  { process: running, untilHealth }: RunningApplication,
  supplier: Supplier,
): Promise<void> {
  supplier.hold();
  const sent = Array.from({ length: IN_FLIGHT }, (_, index) =>
    customer.callPeer(applicationId, `order 1 cup-${index}`, {
      ...(index % 2 === 0 ? {} : { via: 'proxy' }), // the others directly
      timeoutMs: 30_000,
    }),
  );
  await supplier.untilAsked(IN_FLIGHT);
  running.signal('SIGTERM');
  await untilHealth(503); // a load balancer sends it no more requests
  supplier.release();
  const replies = await Promise.all(sent);
  assert.deepEqual(
    replies.filter(({ text }) => !/^Order \d+: 1 × cup-\d+$/.test(text)),
    [],
  );
  const { code, signal } = await running.exit;
  assert.ok(code === 0 || signal === 'SIGTERM', running.errors.text);

  const lines = running.log.entries.map(({ context, message }) => `${context} ${message}`);
  const closed = lines.indexOf('Database Closed');
  const lastPlaced = lines.findLastIndex((line) => line.startsWith('OrdersService Placed'));
  assert.ok(closed > lastPlaced && lastPlaced > 0, lines.join('\n'));
  const database = new DatabaseSync(databaseFile, { readOnly: true });
  const [count] = database.prepare("SELECT count(*) AS cups FROM orders WHERE item LIKE 'cup-%'").all();
  database.close();
  assert.equal(count?.cups, IN_FLIGHT);
  console.log(`✓ SIGTERM with ${IN_FLIGHT} messages in work: all answered, then the database closed`);
}

export async function checkHealth({ platform }: Stage, application: RunningApplication): Promise<void> {
  await application.untilHealth(200);
  await platform.close();
  const health = await application.untilHealth(503);
  assert.match(health, /platform-unreachable/);
  assert.equal((await application.request('GET', '/orders/1')).status, 200);
  const { code, signal } = await application.process.stop();
  assert.ok(code === 0 || signal === 'SIGTERM', application.process.errors.text);
  console.log('✓ health is red without the platform, the REST routes work on, and the process ends');
}
