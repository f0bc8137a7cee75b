import { createServer, type RequestListener } from 'node:http';
import sendRequest from 'undici/lib/api/api-request.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryDispatcher } from './in-process-dispatcher.ts';
import { MemoryListener } from './memory-listener.ts';

const ORIGIN = 'http://platform.test';

function connect(handle: RequestListener) {
  let transfers = 0;
  const listener = new MemoryListener(createServer(handle), 80, () => void transfers++);
  const dispatcher = new MemoryDispatcher(ORIGIN, listener);
  onTestFinished(async () => {
    await dispatcher.close();
    await listener.close(0);
  });
  const request = (options: object = {}) =>
    sendRequest.call(dispatcher as never, { origin: ORIGIN, path: '/', method: 'GET', ...options });
  return { dispatcher, listener, request, transfers: () => transfers };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await turn();
}

describe('a connection in memory', () => {
  it('stops a server whose client does not read', async () => {
    const total = 8 * 1024 * 1024;
    let written = 0;
    const { request } = connect(async (_incoming, outgoing) => {
      const chunk = Buffer.alloc(16 * 1024);
      for (; written < total; written += chunk.length) {
        if (!outgoing.write(chunk)) await new Promise((resolve) => outgoing.once('drain', resolve));
      }
      outgoing.end();
    });
    const { body } = await request();
    await turns(200);
    expect(written).toBeLessThan(1024 * 1024);
    let received = 0;
    for await (const chunk of body) received += chunk.length;
    expect(received).toBe(total);
  });

  it('stops a client whose server does not read', async () => {
    let release = () => {};
    const { request, transfers } = connect((incoming, outgoing) => {
      release = () => incoming.resume().on('end', () => outgoing.end('read'));
    });
    let taken = 0;
    async function* body() {
      for (; taken < 400; taken += 1) yield Buffer.alloc(16 * 1024);
    }
    const response = request({ method: 'POST', body: body() });
    await turns(300);
    expect(taken).toBeLessThan(100);
    const before = transfers();
    release();
    expect(await (await response).body.text()).toBe('read');
    expect([taken, transfers() > before]).toEqual([400, true]);
  });

  it('carries many requests at once and uses a connection again', async () => {
    const sockets = new Set<object>();
    const held: (() => void)[] = [];
    const { request } = connect((incoming, outgoing) => {
      sockets.add(incoming.socket);
      if (incoming.url === '/held') held.push(() => outgoing.end());
      else outgoing.end();
    });
    const waiting = Array.from({ length: 100 }, () => request({ path: '/held' }));
    while (held.length < 100) await turn();
    for (let at = 0; at < 10; at += 1) {
      await (await request()).body.dump();
      await turns(3);
    }
    expect(sockets.size).toBe(101);
    for (const end of held) end();
    await Promise.all(waiting.map(async (each) => (await each).body.dump()));
  });

  it('closes when its requests have ended, or after the time limit', async () => {
    let end = () => {};
    const stage = () =>
      connect((_incoming, outgoing) => {
        end = () => outgoing.end('in time');
      });
    const first = stage();
    const response = first.request();
    await turns(5);
    const closed = first.listener.close(60_000);
    await expect(first.request()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    end();
    expect(await (await response).body.text()).toBe('in time');
    await closed;
    const second = stage();
    const broken = expect(second.request()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    await turns(5);
    await second.listener.close(0);
    await broken;
  });

  it('is for one origin', () => {
    const { dispatcher } = connect(() => {});
    const to = (origin: string | undefined) => () =>
      dispatcher.dispatch(
        { ...(origin === undefined ? {} : { origin }), path: '/', method: 'GET' },
        {
          onRequestStart: () => {},
          onResponseError: () => {},
        },
      );
    expect(to('http://elsewhere.test')).toThrow(expect.objectContaining({ code: 'ENOTFOUND' }));
    expect(to('http://platform.test:81')).toThrow('Only http://platform.test is in this process');
    expect(to(undefined)).not.toThrow();
  });
});
