import { Agent, request as undiciRequest } from 'undici';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { type ScriptedResponse, ScriptedServer } from '../../test/scripted-server.ts';
import { OpenExchanges } from '../transport/http-exchange.ts';
import type { HttpResponse } from '../transport/http-response.ts';
import { type Chaos, type ChaosOptions, type ChaosRule, chaos } from './chaos.ts';

const SEED = 1;
let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

interface Stage {
  readonly server: ScriptedServer;
  readonly faulty: Chaos;
  /** Sends a request; resolves with the response, rejects as a client of core does. */
  readonly send: (path?: string, options?: Sent) => Promise<HttpResponse>;
}

interface Sent {
  readonly method?: string;
  readonly body?: string | null;
  readonly signal?: AbortSignal | undefined;
}

async function open(
  rules: readonly ChaosRule[],
  script: ScriptedResponse = { body: { status: 'ok' } },
  options: ChaosOptions = {},
): Promise<Stage> {
  const server = await ScriptedServer.start(script);
  const agent = new Agent({ connections: 4 });
  onTestFinished(async () => {
    await agent.destroy();
    await server[Symbol.asyncDispose]();
  });
  const faulty = chaos(agent, { rules, seed: SEED, clock, ...options });
  const send: Stage['send'] = (path = '/', { method = 'POST', body = '{}', signal } = {}) =>
    new OpenExchanges(clock, Number.POSITIVE_INFINITY).exchange(
      faulty,
      attemptOf(server, { path, method, body, signal }),
    ) as Promise<HttpResponse>;
  return { server, faulty, send };
}

function attemptOf(server: ScriptedServer, sent: Sent & { readonly path: string }) {
  return {
    origin: server.url,
    method: sent.method ?? 'POST',
    path: sent.path,
    base: [],
    headers: {},
    bearer: null,
    body: sent.body ?? null,
    timeoutMs: 10_000,
    maxResponseBytes: 1_000_000,
    signal: sent.signal,
  };
}

const textOf = ({ body }: HttpResponse) => body.toString('utf8');
const LOST = { code: 'connection_failed', delivered: 'unknown', cause: { code: 'UND_ERR_SOCKET' } };

describe('a connection that breaks', () => {
  it('is refused before anything is sent', async () => {
    const { server, send } = await open([{ fault: 'drop', lost: 'connection' }]);
    await expect(send()).rejects.toMatchObject({ delivered: 'no', cause: { code: 'ECONNREFUSED' } });
    expect(server.requests).toHaveLength(0);
  });

  it('loses the request, or the response, which its client cannot distinguish', async () => {
    const { server, send, faulty } = await open([{ fault: 'drop', lost: 'request' }]);
    await expect(send()).rejects.toMatchObject(LOST);
    expect(server.requests).toHaveLength(0);
    faulty.rules = [{ fault: 'drop' }];
    await expect(send()).rejects.toMatchObject(LOST);
    expect(server.requests).toHaveLength(1);
  });
});

describe('a delay', () => {
  it('lets a request arrive later, also when its client has given it up', async () => {
    const { server, send } = await open([{ fault: 'delay', ms: 15_000 }]);
    const given = send();
    const refused = expect(given).rejects.toMatchObject({ code: 'timed_out', delivered: 'unknown' });
    await clock.advance(10_000);
    await refused;
    expect(server.requests).toHaveLength(0);
    await clock.advance(5_000);
    await server.waitForRequests(1);
  });
});

describe('a copy', () => {
  it('arrives beside the request, or later', async () => {
    const { server, send, faulty } = await open([{ fault: 'duplicate' }]);
    expect(textOf(await send('/', { body: '{"n":1}' }))).toBe('{"status":"ok"}');
    await server.waitForRequests(2);
    expect(server.requests.map(({ body }) => body)).toEqual([{ n: 1 }, { n: 1 }]);
    faulty.rules = [{ fault: 'duplicate', afterMs: 60_000 }];
    await send('/', { body: '{"n":2}' });
    expect(server.requests).toHaveLength(3);
    await clock.advance(60_000);
    await server.waitForRequests(4);
  });
});

describe('another order', () => {
  it('lets the next request of the rule be processed first', async () => {
    const rules = [{ fault: 'reorder', path: '/messages', times: 1 }] as const;
    const { server, send, faulty } = await open(rules);
    const first = send('/messages', { body: '1' });
    await send('/elsewhere');
    await send('/messages', { body: '2' });
    await first;
    await send('/messages', { body: '3' });
    expect(server.requests.map(({ path, body }) => [path, body])).toEqual([
      ['/elsewhere', {}],
      ['/messages', 2],
      ['/messages', 1],
      ['/messages', 3],
    ]);
    expect(faulty.hits()).toBe(1);
  });
});

describe('a response of something else', () => {
  it.each([
    [429, { retryAfterSeconds: 7 }, { 'retry-after': '7' }, 'rate_limited'],
    [410, {}, {}, 'workspace_removed'],
    [503, {}, {}, 'platform_unavailable'],
    [502, {}, {}, undefined],
  ] as const)('has the status %i', async (status, more, headers, code) => {
    const { server, send } = await open([{ fault: 'status', status, ...more }]);
    const response = await send();
    expect(response).toMatchObject({ status, headers: { 'content-type': 'application/json', ...headers } });
    expect(JSON.parse(textOf(response)).code).toBe(code);
    expect(server.requests).toHaveLength(0);
  });

  it('is a page for people', async () => {
    const { server, send } = await open([{ fault: 'html' }]);
    const response = await send();
    expect(response).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(textOf(response)).toContain('Sign in');
    expect(server.requests).toHaveLength(0);
  });
});

describe('a response that is cut', () => {
  const script = { headers: { 'content-length': '10' }, body: '0123456789' };

  it('breaks after so many bytes, or looks complete', async () => {
    const { send, faulty } = await open([{ fault: 'truncate', bytes: 4 }], script);
    await expect(send()).rejects.toMatchObject(LOST);
    faulty.rules = [{ fault: 'truncate', bytes: 4, ending: 'end' }];
    expect(textOf(await send())).toBe('0123');
    faulty.rules = [{ fault: 'truncate', bytes: 0, ending: 'end' }];
    expect(textOf(await send())).toBe('');
    faulty.rules = [{ fault: 'truncate', bytes: 400 }];
    await expect(send()).rejects.toMatchObject(LOST);
  });

  it('breaks a stream of events, of which the beginning has arrived', async () => {
    const { server, faulty } = await open([{ fault: 'truncate', bytes: 8 }], (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\ndata: 2\n\n');
    });
    const opened = await new OpenExchanges(clock, Number.POSITIVE_INFINITY).exchange(faulty, {
      ...attemptOf(server, { path: '/' }),
      isStreamed: true,
    });
    if (!('stream' in opened)) throw new Error('It is no stream.');
    let read = '';
    const reading = (async () => {
      for (;;) {
        const chunk = await opened.stream.read();
        if (chunk === undefined || chunk === null) return;
        read += chunk.toString();
      }
    })();
    await expect(reading).rejects.toMatchObject(LOST);
    expect(read).toBe('data: 1\n');
  });
});

describe('a clock that is wrong', () => {
  it('shifts the header Date and server_time, and nothing else', async () => {
    const body = { server_time: '2026-01-01T00:00:00.000Z', at: '2026-01-01T00:00:00.000Z', n: 'é' };
    const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
    const { send } = await open([{ fault: 'skew', ms: -90_000 }], (_request, response) => {
      const text = JSON.stringify(body);
      response.writeHead(200, {
        date,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
    });
    const response = await send();
    expect(response.headers.date).toBe('Wed, 31 Dec 2025 23:58:30 GMT');
    expect(JSON.parse(textOf(response))).toEqual({ ...body, server_time: '2025-12-31T23:58:30.000Z' });
    expect(response.headers['content-length']).toBe(String(response.body.length));
  });

  it('shifts only the header of what is no small JSON', async () => {
    const { send } = await open([{ fault: 'skew', ms: 86_400_000 }], {
      headers: { date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'content-type': 'text/plain' },
      body: '"server_time":"2026-01-01T00:00:00Z"',
    });
    const response = await send();
    expect(response.headers.date).toBe('Fri, 02 Jan 2026 00:00:00 GMT');
    expect(textOf(response)).toBe('"server_time":"2026-01-01T00:00:00Z"');
  });
});

describe('rules', () => {
  it('fit by method and path', async () => {
    const rule = { fault: 'status', status: 500 } as const;
    const { send, faulty } = await open([
      { ...rule, status: 501, method: 'post', path: '/workspaces/:id/a2a' },
      { ...rule, status: 502, path: '/registry/*' },
      { ...rule, status: 503, path: /^\/x+$/g },
      { ...rule, status: 504, path: '/a.b' },
    ]);
    const status = async (path: string, method = 'POST') => (await send(path, { method, body: null })).status;
    expect(await status('/workspaces/1/a2a?wait=1')).toBe(501);
    expect(await status('/workspaces/1/a2a', 'GET')).toBe(200);
    expect(await status('/workspaces/1/2/a2a')).toBe(200);
    expect(await status('/registry/1/peers')).toBe(502);
    expect([await status('/xx'), await status('/xx'), await status('/xy')]).toEqual([503, 503, 200]);
    expect([await status('/a.b'), await status('/acb')]).toEqual([504, 200]);
    expect(faulty.hits({ path: '/registry/*' })).toBe(1);
    expect(faulty.hits({ method: 'POST', fault: 'status' })).toBe(5);
    expect(faulty.hits({ fault: 'drop' })).toBe(0);
    expect(faulty.log[0]).toEqual({
      at: clock.now(),
      fault: 'status',
      method: 'POST',
      path: '/workspaces/1/a2a',
    });
  });

  it('spare the first requests, happen so often, and count again when they are replaced', async () => {
    const { send, faulty } = await open([{ fault: 'status', status: 500, skip: 2, times: 2 }]);
    const statuses = async (count: number) => {
      const seen: number[] = [];
      for (let at = 0; at < count; at += 1) seen.push((await send()).status);
      return seen;
    };
    expect(await statuses(6)).toEqual([200, 200, 500, 500, 200, 200]);
    faulty.rules = [...faulty.rules];
    expect(await statuses(3)).toEqual([200, 200, 500]);
    faulty.rules = [];
    expect(await statuses(1)).toEqual([200]);
  });

  it.each([0.1, 0.5, 0.9])('happen with the probability %d, as the seed says', async (probability) => {
    const rules = [
      { fault: 'status', status: 500, probability, path: '/a' },
      { fault: 'status', status: 501, probability, path: '/b' },
    ] as const;
    const run = async (seed: number, others: number) => {
      const { send } = await open(rules, undefined, { seed });
      const seen: number[] = [];
      for (let at = 0; at < 100; at += 1) {
        for (let other = 0; other < others; other += 1) await send('/b');
        seen.push((await send('/a')).status);
      }
      return seen;
    };
    const first = await run(7, 0);
    // What happens to other requests makes no difference.
    expect(await run(7, 1)).toEqual(first);
    expect(await run(8, 0)).not.toEqual(first);
    const share = first.filter((status) => status === 500).length / 100;
    expect(Math.abs(share - probability)).toBeLessThan(0.15);
  });

  it('show the seed once when something depends on a seed that nobody gave', async () => {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => written.mockRestore());
    const { send, faulty } = await open([{ fault: 'drop', times: 0 }], undefined, { seed: undefined });
    await send();
    expect(written).not.toHaveBeenCalled();
    faulty.rules = [{ fault: 'drop', probability: 0 }];
    await send();
    await send();
    expect(written.mock.calls).toEqual([[`chaos: to repeat this run, set seed: ${faulty.seed}\n`]]);
  });

  it.each([
    { fault: 'explode' },
    { fault: 'drop', probability: 2 },
    { fault: 'drop', times: -1 },
    { fault: 'status' },
    { fault: 'status', status: 42 },
    { fault: 'delay' },
    { fault: 'delay', ms: [5, 1] },
    { fault: 'skew' },
  ])('that are none are refused: %j', async (rule) => {
    const { faulty } = await open([]);
    const wrong = expect.objectContaining({ code: 'configuration_invalid' });
    expect(() => {
      faulty.rules = [rule as ChaosRule];
    }).toThrow(wrong);
    expect(faulty.rules).toEqual([]);
  });
});

describe('a client', () => {
  it('that gives up closes the connection of a request that has a fault', async () => {
    let isClosed = false;
    const { server, send } = await open([{ fault: 'skew', ms: 1 }], (_request, response) => {
      response.once('close', () => {
        isClosed = true;
      });
    });
    const ending = new AbortController();
    const refused = expect(send('/', { signal: ending.signal })).rejects.toThrow('enough');
    await server.waitForRequests(1);
    ending.abort(new Error('enough'));
    await refused;
    await expect.poll(() => isClosed).toBe(true);
  });

  it('of undici reads a long response at its own pace', async () => {
    const long = 'x'.repeat(3_000_000);
    const { server, faulty } = await open([{ fault: 'skew', ms: 1 }], { body: long });
    const response = await undiciRequest(server.url, { dispatcher: faulty as never });
    expect(response.statusCode).toBe(200);
    let length = 0;
    for await (const chunk of response.body) length += chunk.length;
    expect(length).toBe(long.length);
  });
});
