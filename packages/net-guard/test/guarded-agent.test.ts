import { createServer as createTcpServer, type Socket } from 'node:net';
import { Agent, fetch, interceptors, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { buildGuardedConnector } from '../src/guarded-connector.ts';
import { AddressRefusedError, createAddressGuard, createGuardedAgent } from '../src/index.ts';
import { defer, destroyedAfterTest, failureOf, listen, resolving, serve } from './local-server.ts';

const LOOPBACK = { allowLoopback: true };

describe('createGuardedAgent and DNS rebinding', () => {
  it('resolves once per connection and connects to the vetted address', async () => {
    const { port, connections } = await serve();
    const resolve = resolving(['127.0.0.1'], ['169.254.169.254']);
    const guard = createAddressGuard({ policy: LOOPBACK, resolve });
    const sockets: Socket[] = [];
    const agent = destroyedAfterTest(
      new Agent({
        connect: (target, callback) =>
          guard.connect(target, (...result) => {
            if (result[1] !== null) sockets.push(result[1]);
            callback(...result);
          }),
      }),
    );
    const { body } = await request(`http://agent.example:${port}/`, { dispatcher: agent });
    expect(await body.text()).toBe('hello');
    expect(resolve.mock.calls).toEqual([['agent.example']]);
    expect(sockets.map((socket) => socket.remoteAddress)).toEqual(['127.0.0.1']);
    expect(connections).toHaveBeenCalledTimes(1);
  });

  it('refuses a name that was public when it was checked and is private now', async () => {
    const { port, connections } = await serve();
    const resolve = resolving(['8.8.8.8'], ['127.0.0.1']);
    const guard = createAddressGuard({ resolve });
    expect(await guard.vetHost('agent.example')).toHaveLength(1);
    const agent = destroyedAfterTest(new Agent({ connect: guard.connect }));
    const failure = await failureOf(
      request(`http://agent.example:${port}/?token=t0p`, { dispatcher: agent }),
    );
    expect(AddressRefusedError.isInstance(failure) && failure.reason).toBe('loopback');
    expect(String(failure)).not.toContain('t0p');
    expect(connections).not.toHaveBeenCalled();
  });

  it('does not resolve a literal', async () => {
    const { port } = await serve();
    const resolve = resolving(['8.8.8.8']);
    const agent = destroyedAfterTest(createGuardedAgent({ policy: LOOPBACK, resolve }));
    const { body } = await request(`http://0x7f.1:${port}/`, { dispatcher: agent });
    expect(await body.text()).toBe('hello');
    const mapped = await request(`http://[::ffff:127.0.0.1]:${port}/`, { dispatcher: agent });
    expect(await mapped.body.text()).toBe('hello');
    expect(resolve).not.toHaveBeenCalled();
  });

  it('uses another vetted address if the first one does not respond', async () => {
    const { port } = await serve();
    const resolve = resolving(['127.0.0.2', '127.0.0.1']);
    const agent = destroyedAfterTest(createGuardedAgent({ policy: LOOPBACK, resolve }));
    const { body } = await request(`http://agent.example:${port}/`, { dispatcher: agent });
    expect(await body.text()).toBe('hello');
    expect(resolve).toHaveBeenCalledTimes(1);
  });

  it('connects without autoSelectFamily', async () => {
    const { port } = await serve();
    const resolve = resolving(['127.0.0.1']);
    const agent = destroyedAfterTest(
      createGuardedAgent({ policy: LOOPBACK, resolve, agentOptions: { autoSelectFamily: false } }),
    );
    const { statusCode, body } = await request(`http://agent.example:${port}/`, { dispatcher: agent });
    await body.dump();
    expect(statusCode).toBe(200);
  });

  it('closes a socket that is connected to an address that was not vetted', async () => {
    const { port, connections } = await serve();
    const connect = buildGuardedConnector(async () => [{ address: '8.8.8.8', family: 4 }], {});
    const agent = destroyedAfterTest(new Agent({ connect }));
    const failure = await failureOf(request(`http://127.0.0.1:${port}/`, { dispatcher: agent }));
    expect(AddressRefusedError.isInstance(failure) && failure.reason).toBe('address_changed');
    expect(connections.mock.calls.length).toBeLessThanOrEqual(1);
  });
});

describe('createGuardedAgent with kept-alive connections', () => {
  it('resolves and vets again for a new connection only', async () => {
    const { port, connections } = await serve();
    const resolve = resolving(['127.0.0.1'], ['127.0.0.1'], ['10.0.0.1']);
    const agent = destroyedAfterTest(
      createGuardedAgent({ policy: LOOPBACK, resolve, agentOptions: { connections: 1 } }),
    );
    const get = async (reset: boolean) => {
      const { body } = await request(`http://agent.example:${port}/`, { dispatcher: agent, reset });
      return body.text();
    };
    await get(false);
    await get(true);
    expect(resolve).toHaveBeenCalledTimes(1);
    expect(connections).toHaveBeenCalledTimes(1);
    await get(true);
    expect(resolve).toHaveBeenCalledTimes(2);
    const failure = await failureOf(get(false));
    expect(AddressRefusedError.isInstance(failure) && failure.reason).toBe('private');
    expect(connections).toHaveBeenCalledTimes(2);
  });
});

describe('createGuardedAgent with redirects', () => {
  async function redirecting() {
    const { port } = await serve((_request, response) => {
      response.writeHead(302, { location: 'http://10.0.0.1/latest/meta-data' }).end();
    });
    const resolve = resolving(['127.0.0.1']);
    return {
      url: `http://agent.example:${port}/`,
      agent: destroyedAfterTest(createGuardedAgent({ policy: LOOPBACK, resolve })),
    };
  }

  it('does not follow them, and refuses the target when it is followed manually', async () => {
    const { url, agent } = await redirecting();
    const { statusCode, headers, body } = await request(url, { dispatcher: agent });
    await body.dump();
    expect(statusCode).toBe(302);
    const failure = await failureOf(request(String(headers.location), { dispatcher: agent }));
    expect(AddressRefusedError.isInstance(failure) && failure.reason).toBe('private');
  });

  it('refuses the target when fetch or the redirect interceptor follows them', async () => {
    const { url, agent } = await redirecting();
    const viaFetch = await failureOf(fetch(url, { dispatcher: agent }));
    expect(viaFetch instanceof TypeError && AddressRefusedError.isInstance(viaFetch.cause)).toBe(true);
    const following = agent.compose(interceptors.redirect({ maxRedirections: 3 }));
    expect(AddressRefusedError.isInstance(await failureOf(request(url, { dispatcher: following })))).toBe(
      true,
    );
  });
});

describe('createGuardedAgent and TLS', () => {
  it('uses the host of the URL as server name, whatever the Host header', async () => {
    const hello = defer<string>();
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (bytes) => {
        hello.resolve(bytes.toString('latin1'));
        socket.destroy();
      });
    });
    const port = await listen(server);
    const agent = destroyedAfterTest(
      createGuardedAgent({ policy: LOOPBACK, resolve: resolving(['127.0.0.1']) }),
    );
    const sent = request(`https://agent.example:${port}/`, {
      dispatcher: agent,
      headers: { host: 'other.example' },
    });
    expect(await failureOf(sent)).toBeInstanceOf(Error);
    expect(await hello.promise).toContain('agent.example');
    expect(await hello.promise).not.toContain('other.example');
  });
});
