import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { InstantClock } from '../../test/instant-clock.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { ScriptedServer } from '../../test/scripted-server.ts';
import { type PeerRequest, PeerTransport, type PeerTransportSettings } from './peer-transport.ts';

const LOCAL = { allowLoopback: true, allowPrivate: false, allowedNetworks: [] };
const GLOBAL = { ...LOCAL, allowLoopback: false };

function createTransport(options: Partial<PeerTransportSettings> = {}): PeerTransport & AsyncDisposable {
  const transport = new PeerTransport({
    clock: new InstantClock(),
    peerAddresses: LOCAL,
    maxConnections: 4,
    ...options,
  });
  return Object.assign(transport, { [Symbol.asyncDispose]: () => transport.close() });
}

function requestTo(url: string, more: Partial<PeerRequest> = {}): PeerRequest {
  const { origin, pathname, search } = new URL(url);
  return {
    server: { origin, path: pathname + search },
    body: '{}',
    bearer: undefined,
    headers: {},
    timeoutMs: 5_000,
    signal: undefined,
    ...more,
  };
}

describe('the transport to peers', () => {
  it('gives up a response whose body does not come, ten seconds after its headers', async () => {
    const clock = new ManualClock();
    await using server = await ScriptedServer.start((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{');
    });
    await using transport = createTransport({ clock });
    const call = transport.post(requestTo(server.url, { timeoutMs: 60_000 }));
    const failed = expect(call).rejects.toMatchObject({
      code: 'timed_out',
      delivered: 'unknown',
      timeoutMs: 10_000,
    });
    await clock.waitForTimer(10_000);
    await clock.advance(10_000);
    await failed;
    expect(clock.pending).toBe(0);
  });

  it('connects only to addresses that the policy allows, whatever the name resolved to before', async () => {
    await using server = await ScriptedServer.start({ body: { result: 'hi' } });
    const url = server.url.replace('127.0.0.1', 'peer.example');
    const answers = [['127.0.0.1'], ['10.0.0.7'], ['127.0.0.1', '10.0.0.7'], []];
    await using transport = createTransport({
      resolve: async () => (answers.shift() ?? []).map((address) => ({ address })),
    });
    const headers = { connection: 'close' };
    expect(await transport.post(requestTo(url, { headers }))).toMatchObject({ status: 200 });
    for (let count = 0; count < 3; count += 1) {
      const refused = { code: 'connection_failed', delivered: 'no' };
      await expect(transport.post(requestTo(url, { headers }))).rejects.toMatchObject(refused);
    }
    expect([answers, server.requests.length]).toEqual([[], 1]);
  });

  it('refuses loopback, private and link-local addresses unless they are allowed', async () => {
    await using server = await ScriptedServer.start({ body: { result: 'hi' } });
    await using transport = createTransport({ peerAddresses: GLOBAL });
    const { port } = new URL(server.url);
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '10.0.0.1', '169.254.169.254', '0x7f.1']) {
      const call = transport.post(requestTo(`http://${host}:${port}/`));
      await expect(call, host).rejects.toMatchObject({ code: 'connection_failed', delivered: 'no' });
    }
    await using allowed = createTransport({ peerAddresses: { ...GLOBAL, allowedNetworks: ['127.0.0.0/8'] } });
    expect(await allowed.post(requestTo(server.url))).toMatchObject({ status: 200 });
    expect(server.requests).toHaveLength(1);
  });

  it('keeps connections to at most 32 origins', async () => {
    const sockets = new Set<Socket>();
    const servers = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const server = createServer((socket) => {
          sockets.add(socket);
          socket.on('close', () => sockets.delete(socket)).on('error', () => {});
          socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
        });
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        return server;
      }),
    );
    await using transport = createTransport();
    for (const server of servers) {
      await transport.post(requestTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`));
    }
    while (sockets.size > 32) await new Promise((resolve) => setImmediate(resolve));
    expect(sockets.size).toBe(32);
    await transport.close();
    while (sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  });

  it('sends what the request names and nothing of the platform, and nothing after it was closed', async () => {
    await using server = await ScriptedServer.start({ body: { result: 'hi' } });
    const transport = createTransport();
    let sent = 0;
    const onSent = () => {
      sent += 1;
    };
    const more = { bearer: 'for-the-peer', headers: { 'x-timeout': '3' }, onSent };
    await transport.post(requestTo(`${server.url}/a2a?x=1`, more));
    const { headers, path } = server.last;
    expect(Object.keys(headers).sort()).toEqual([
      'accept',
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      'x-timeout',
    ]);
    expect([path, headers.authorization, sent]).toEqual(['/a2a', 'Bearer for-the-peer', 1]);
    await transport.close();
    await expect(transport.post(requestTo(server.url))).rejects.toMatchObject({ code: 'client_closed' });
  });
});
