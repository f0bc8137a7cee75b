import { once } from 'node:events';
import { request as send } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Gate } from '../../test/agent-stage.ts';
import { type ArrivalStage, arrivalStage, INBOUND_SECRET, pushOf } from '../../test/arrival-stage.ts';
import { A2AServer, type A2AServerOptions } from './a2a-server.ts';

const servers: A2AServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop({ timeoutMs: 0 });
});

async function serve(
  options: Omit<A2AServerOptions, 'port'> & { readonly port?: number },
): Promise<A2AServer> {
  const server = new A2AServer({ port: 0, ...options });
  servers.push(server);
  await server.start();
  return server;
}

const handler = async (): Promise<Response> => new Response();

const headers = { authorization: `Bearer ${INBOUND_SECRET}`, 'content-type': 'application/json' };

async function post(url: string, id: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(pushOf(id)) });
  return { status: response.status, text: await response.text() };
}

/** Sends these bytes and nothing more; resolves with what came back when the connection is closed. */
function sendRaw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}

/** The agent sees messages on its manual clock, the server on real sockets. */
async function started(stage: ArrivalStage, ids: readonly string[]): Promise<void> {
  while (!ids.every((id) => stage.events.includes(`message ${id}`))) await stage.client.flushPromises();
}

describe('A2AServer', () => {
  it('serves several agents by the first segment of the path', async () => {
    const [one, two] = [await arrivalStage(), await arrivalStage({ onMessage: () => 'two' })];
    const server = await serve({ agents: { One: one.agent, two: two.agent } });
    expect((await post(`${server.url}/one/a2a`, 'row-1')).text).toContain('echo row-1');
    expect((await post(`${server.url}/TWO`, 'row-1')).text).toContain('two');
    expect((await post(`${server.url}/three`, 'row-1')).status).toBe(404);
  });

  it('stops when the requests that it has are responded to', async () => {
    const gate = new Gate();
    const stage = await arrivalStage({ onMessage: gate.handler });
    const server = await serve({ agent: stage.agent });
    const { url } = server;
    const held = post(url, 'row-1');
    await started(stage, ['row-1']);
    const stopping = server.stop();
    gate.open();
    expect((await held).text).toContain('done');
    await stopping;
    await expect(post(url, 'row-2')).rejects.toThrow();
    expect(server.stop()).toBe(server.stop());
  });

  it('closes connections that are left when its time is over', async () => {
    const gate = new Gate();
    const stage = await arrivalStage({ onMessage: gate.handler });
    const server = await serve({ agent: stage.agent });
    const held = post(server.url, 'row-1').catch((error: unknown) => error);
    await started(stage, ['row-1']);
    await server.stop({ timeoutMs: 1 });
    expect(await held).toBeInstanceOf(Error);
  });

  it('notices when the caller closes the connection: the answer is sent through the platform', async () => {
    const gate = new Gate();
    const stage = await arrivalStage({ onMessage: gate.handler });
    const server = await serve({ agent: stage.agent });
    const leaving = new AbortController();
    const body = JSON.stringify(pushOf('row-1'));
    const left = fetch(server.url, { method: 'POST', headers, body, signal: leaving.signal }).catch(() => {});
    await started(stage, ['row-1']);
    leaving.abort();
    await left;
    // The server has no open request any more.
    await server.stop();
    gate.open();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual(['row-1: done']);
  });

  it('disconnects who sends half a request, or a byte at a time', async () => {
    const stage = await arrivalStage();
    const server = await serve({ agent: stage.agent, requestTimeoutMs: 50 });
    const head = `POST / HTTP/1.1\r\nhost: a\r\nauthorization: ${headers.authorization}\r\n`;
    const half = await sendRaw(server.url, head);
    expect(half).toMatch(/^HTTP\/1\.1 408/);
    const drip = await sendRaw(server.url, `${head}content-length: 100\r\n\r\n{`);
    expect(drip).not.toContain('HTTP/1.1 200');
    expect(stage.events).not.toContain('message row-1');
  });

  it('closes a connection whose request is not complete when it stops', async () => {
    const stage = await arrivalStage();
    const server = await serve({ agent: stage.agent });
    const head = `POST / HTTP/1.1\r\nhost: a\r\nauthorization: ${headers.authorization}\r\n`;
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname).on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // The server has read the half request when it responds to the whole one before it.
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\n\r\n${head}content-length: 100\r\n\r\n{`);
    await once(socket, 'data');
    await server.stop({ timeoutMs: 3_600_000 });
    await closed;
  });

  it('handles the requests of one connection one after the other', async () => {
    const order: string[] = [];
    const server = await serve({
      handler: async ({ url }) => {
        const { pathname } = new URL(url);
        order.push(`start ${pathname}`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`end ${pathname}`);
        return new Response(pathname);
      },
    });
    const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;
    const bytes = `${get('/one')}${get('/two')}${get('/three', 'connection: close\r\n')}`;
    const received = await sendRaw(server.url, bytes);
    expect(received.match(/\/(one|two|three)/g)).toEqual(['/one', '/two', '/three']);
    expect(order).toEqual(['one', 'two', 'three'].flatMap((path) => [`start /${path}`, `end /${path}`]));
  });

  it('closes a connection with more than 16 requests that have no response', async () => {
    let count = 0;
    const server = await serve({
      handler: async () => {
        count += 1;
        return new Promise<Response>(() => {});
      },
    });
    const received = await sendRaw(server.url, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(20_000));
    expect([received, count]).toEqual(['', 1]);
  });

  it.each([
    ['GET //', '', 400],
    ['GET http://[', '', 400],
    ['TRACE /', '', 405],
    ['POST /', 'expect: a miracle\r\n', 417],
  ])('responds to %s with %j', async (line, more, status) => {
    const stage = await arrivalStage();
    const server = await serve({ agent: stage.agent });
    const received = await sendRaw(server.url, `${line} HTTP/1.1\r\nhost: a\r\n${more}\r\n`);
    expect(received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(received).toMatch(/"code":"(invalid_request|method_not_allowed)"/);
  });

  it('responds to a request without Host, and takes one of HTTP/1.0', async () => {
    const stage = await arrivalStage();
    const server = await serve({ agent: stage.agent });
    const path = '/.well-known/agent-card.json';
    expect(await sendRaw(server.url, `GET ${path} HTTP/1.1\r\n\r\n`)).toContain('there is no Host');
    expect(await sendRaw(server.url, `GET ${path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200/);
  });

  it('refuses hostile heads', async () => {
    const stage = await arrivalStage();
    const server = await serve({ agent: stage.agent });
    expect(
      await sendRaw(server.url, `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`),
    ).toMatch(/^HTTP\/1\.1 431/);
    expect(await sendRaw(server.url, 'NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    const { hostname, port } = new URL(server.url);
    const status = await new Promise((resolve) => {
      send({ hostname, port, path: '//evil.test/..%2f', method: 'GET' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
    expect(status).toBe(404);
  });

  it('does not read the rest of a body that it refused', async () => {
    const stage = await arrivalStage();
    const server = await serve({ agent: stage.agent });
    const head = `POST / HTTP/1.1\r\nhost: a\r\nauthorization: ${headers.authorization}\r\n`;
    const response = await sendRaw(server.url, `${head}content-length: 100000000\r\n\r\n{"text":"`);
    expect(response).toMatch(/^HTTP\/1\.1 413[\s\S]*connection: close/i);
  });

  it.each([
    ['192.0.2.1', 'not an address of this machine'],
    ['name.invalid', 'does not resolve'],
  ])('says what is wrong with the host %s', async (host, hint) => {
    const server = new A2AServer({ handler: async () => new Response(), port: 0, host });
    await expect(server.start()).rejects.toMatchObject({ hint: expect.stringContaining(hint) });
  });

  it.each<[string, object, string]>([
    ['nothing to serve', {}, 'agent, agents and handler'],
    ['two things to serve', { agents: {}, handler }, 'agent, agents and handler'],
    ['no agents', { agents: {} }, 'agents'],
    ['a list of no agents', { agents: null }, 'agents'],
    ['a path as a name', { agents: { 'a/b': {} } }, 'agents'],
    ['a port out of range', { handler, port: 70_000 }, 'port'],
    ['no connections', { handler, maxConnections: 0 }, 'maxConnections'],
    ['a client as agent', { agent: { workspaceId: 'w' } }, 'agent must'],
    ['a number as agent', { agent: 5 }, 'agent must'],
    ['a number as one of the agents', { agents: { one: 5 } }, 'agents.one'],
    ['an agent as handler', { handler: { inbound: { attach: () => {} } } }, 'handler must'],
    ['a hold below zero', { agent: { inbound: { attach: () => {} } }, holdSeconds: -1 }, 'holdSeconds'],
    ['tls without a certificate', { handler, tls: {} }, 'tls'],
    ['tls that is none', { handler, tls: true }, 'tls'],
    ['a certificate that is none', { handler, tls: { key: 'key', cert: 'cert' } }, 'tls'],
  ])('refuses %s', (_name, options, named) => {
    expect(() => new A2AServer({ port: 0, ...options } as A2AServerOptions)).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', message: expect.stringContaining(named) }),
    );
  });
});
