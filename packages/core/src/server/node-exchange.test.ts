import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type ArrivalStage, arrivalStage, INBOUND_SECRET, pushOf } from '../../test/arrival-stage.ts';
import type { InboundAccess, InboundPort } from '../inbound-http/inbound-agent.ts';
import { createInboundHandler } from '../inbound-http/inbound-handler.ts';
import { A2AServer } from './a2a-server.ts';
import { respondTo, toNodeListener } from './node-exchange.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serveAgent = ({ agent }: ArrivalStage): Promise<string> =>
  listen(createServer(toNodeListener(createInboundHandler(agent))));

const authorization = `Bearer ${INBOUND_SECRET}`;

/** Sends bytes; resolves with what came back until the server closed the connection. */
async function exchange(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return received;
}

it('a response has a length, and so does that of another handler', async () => {
  const stage = await arrivalStage();
  const own = await listen(createServer(toNodeListener(async () => Response.json({ own: 'ü' }))));
  const empty = await listen(createServer(toNodeListener(async () => new Response(null, { status: 204 }))));
  const init = { method: 'POST', headers: { authorization }, body: JSON.stringify(pushOf('row-1')) };
  for (const url of [await serveAgent(stage), own]) {
    const response = await fetch(url, init);
    expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(await response.text())));
  }
  const { status, headers } = await fetch(empty, init);
  expect([status, headers.get('content-length')]).toEqual([204, null]);
});

it('a body that comes in pieces is read to its end, and no further than its limit', async () => {
  const stage = await arrivalStage();
  const url = await serveAgent(stage);
  const head = `POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: ${authorization}\r\ntransfer-encoding: chunked\r\n\r\n`;
  const text = JSON.stringify(pushOf('row-1'));
  const pieces = [text.slice(0, 20), text.slice(20), ''].map(
    (piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`,
  );
  expect(await exchange(url, head + pieces.join(''))).toMatch(/^HTTP\/1\.1 200[\s\S]*echo row-1/);
  const large = `${(2 ** 22 + 1).toString(16)}\r\n${'x'.repeat(2 ** 22 + 1)}`;
  expect(await exchange(url, head + large)).toMatch(/^HTTP\/1\.1 413/);
});

it('a body that was read before is an error of the server, which the agent logs once a minute', async () => {
  const stage = await arrivalStage();
  const own = toNodeListener(async () => new Response('own'));
  const listener = toNodeListener(createInboundHandler(stage.agent));
  const url = await listen(
    createServer(async (incoming, outgoing) => {
      await incoming.toArray();
      await (incoming.url === '/own' ? own : listener)(incoming, outgoing);
    }),
  );
  const statusAt = async (path: string): Promise<number> =>
    (await fetch(`${url}${path}`, { method: 'POST', body: '{"text":"hi"}' })).status;
  const lines = (): string[] => stage.client.logger.messages('error');
  expect([await statusAt('/own'), lines()]).toEqual([500, []]);
  for (const count of [1, 1, 2]) {
    if (count === 2) await stage.client.clock.advance(60_000);
    expect(await statusAt('/')).toBe(500);
    expect(lines()).toHaveLength(count);
  }
  expect(lines()[0]).toContain('Messages cannot be read');
});

it('two credentials in one request are none', async () => {
  const stage = await arrivalStage();
  const url = await serveAgent(stage);
  const body = JSON.stringify(pushOf('row-1'));
  const lines = [`Authorization: ${authorization}`, 'authorization: Bearer another-one-of-some-length'];
  const head = `POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${lines.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n`;
  expect(await exchange(url, head + body)).toMatch(/^HTTP\/1\.1 401/);
  expect(stage.events).not.toContain('message row-1');
});

it('the exchange is over when the caller leaves before its body is read', async () => {
  const asked = Promise.withResolvers<void>();
  const access = Promise.withResolvers<InboundAccess>();
  const inbound: InboundPort = {
    attach: () => {},
    card: () => ({}),
    authenticate: () => {
      asked.resolve();
      return access.promise;
    },
    receive: () => Promise.reject(new Error('No message was sent.')),
    stream: () => Promise.reject(new Error('No message was sent.')),
    resubscribe: async () => null,
    find: async () => null,
    cancel: async () => null,
    stateChanged: () => {},
    serverChanged: () => {},
  };
  const handler = createInboundHandler({ inbound });
  const [left, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const url = await listen(
    createServer((incoming, outgoing) => {
      incoming.once('close', left.resolve);
      void respondTo(incoming, outgoing, handler).then(over.resolve);
    }),
  );
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{');
  await asked.promise;
  socket.destroy();
  await left.promise;
  access.resolve({ kind: 'granted', caller: { use: 'push', subject: '' }, tokenId: '' });
  await over.promise;
});

it('a server has no open exchange when its callers have left', async () => {
  const stage = await arrivalStage();
  await using server = new A2AServer({ agent: stage.agent, port: 0 });
  await server.start();
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST / HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\ncontent-length: 10\r\n\r\n{`,
  );
  await once(socket, 'connect');
  socket.destroy();
  await server.stop();
});
