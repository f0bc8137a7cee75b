import { createServer as createTcpServer } from 'node:net';
import { fetch, request } from 'undici';
import { describe, expect, it, vi } from 'vitest';
import { AddressRefusedError, createGuardedAgent } from '../src/index.ts';
import { defer, destroyedAfterTest, failureOf, listen, resolving, serve } from './local-server.ts';

const LOOPBACK = { allowLoopback: true };

describe('createGuardedAgent with failures', () => {
  it('rejects with the resolver’s error as cause', async () => {
    const cause = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    const agent = destroyedAfterTest(createGuardedAgent({ resolve: () => Promise.reject(cause) }));
    const failure = await failureOf(request('http://agent.invalid/', { dispatcher: agent }));
    expect(failure).toMatchObject({ code: 'ENOTFOUND', cause });
  });

  it('reports a refused connection', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const agent = destroyedAfterTest(
      createGuardedAgent({ policy: LOOPBACK, resolve: resolving(['127.0.0.1']) }),
    );
    const failure = await failureOf(request(`http://agent.example:${port}/`, { dispatcher: agent }));
    expect(failure).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('includes resolving in the connect timeout, and ignores a late result', async () => {
    const { port, connections } = await serve();
    const late = defer<{ address: string }[]>();
    const agent = destroyedAfterTest(
      createGuardedAgent({
        policy: LOOPBACK,
        resolve: () => late.promise,
        agentOptions: { connectTimeout: 20 },
      }),
    );
    const failure = await failureOf(request(`http://agent.example:${port}/`, { dispatcher: agent }));
    expect(failure).toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' });
    late.resolve([{ address: '127.0.0.1' }]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(connections).not.toHaveBeenCalled();
  });

  it('can be aborted: fetch immediately, request when the connection attempt ends', async () => {
    const { port, requests } = await serve();
    const called = defer<void>();
    const late = defer<{ address: string }[]>();
    const resolve = () => {
      called.resolve();
      return late.promise;
    };
    const dispatcher = destroyedAfterTest(createGuardedAgent({ policy: LOOPBACK, resolve }));
    const controller = new AbortController();
    const { signal } = controller;
    const viaFetch = failureOf(fetch(`http://agent.example:${port}/`, { dispatcher, signal }));
    const viaRequest = failureOf(request(`http://agent.example:${port}/`, { dispatcher, signal }));
    await called.promise;
    controller.abort();
    expect(await viaFetch).toMatchObject({ name: 'AbortError' });
    late.resolve([{ address: '127.0.0.1' }]);
    expect(await viaRequest).toMatchObject({ name: 'AbortError' });
    expect(requests).not.toHaveBeenCalled();
  });

  it('ignores options of untyped callers that would bypass the guard', async () => {
    const { port, connections } = await serve();
    const agentOptions = {
      connect: { lookup: vi.fn() },
      factory: vi.fn(),
      socketPath: '/nowhere',
    };
    const connectOptions = {
      lookup: vi.fn(),
      path: '/nowhere',
      host: '127.0.0.1',
      rejectUnauthorized: false,
    };
    const resolve = resolving(['10.0.0.1']);
    const agent = destroyedAfterTest(createGuardedAgent({ resolve, agentOptions, connectOptions } as never));
    const failure = await failureOf(request(`http://agent.example:${port}/`, { dispatcher: agent }));
    expect(AddressRefusedError.isInstance(failure)).toBe(true);
    expect(agentOptions.factory).not.toHaveBeenCalled();
    expect(connections).not.toHaveBeenCalled();
  });
});
