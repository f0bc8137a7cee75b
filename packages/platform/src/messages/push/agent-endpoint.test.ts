import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import { AnswerMemory } from '../streams/answer-memory.ts';
import { readResponse } from './agent-endpoint.ts';

const MIB = 1024 * 1024;
const JSON_TYPE = { 'content-type': 'application/json' };
const TIMER = { restartTimer: () => {}, stopTimer: () => {} };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What the platform makes of this response of an agent. */
function read(statusCode: number, body: string | Buffer, headers: Record<string, string> = {}) {
  const openShare = () => new AnswerMemory().open('workspace').share();
  const { signal } = new AbortController();
  const reading = { ...TIMER, clock: new ManualClock(), openShare, signal, onTimeout: () => {} };
  const received = { statusCode, headers, body: Readable.from([Buffer.from(body)]) };
  // biome-ignore lint/suspicious/noExplicitAny: a response without what undici adds
  return readResponse(received as any, reading);
}

describe('a response with a status of 300 and more', () => {
  it.each([
    [500, 'final', true],
    [404, 'final', true],
    [405, 'final', true],
    [302, 'final', true],
    [401, 'retry', false],
    [429, 'retry', false],
    [502, 'retry', false],
    [503, 'retry', false],
    [504, 'retry', false],
  ])('of %i: %s', async (status, kind, delivered) => {
    const result = await read(status, 'no');
    const error = { code: 'agent_error', status: String(status), delivered };
    expect(result).toMatchObject({ kind, error });
    const isWrongPath = [302, 404, 405].includes(status);
    expect(JSON.stringify(result).includes('the slash at its end')).toBe(isWrongPath);
  });

  it.each([
    [503, { code: 'not_accepting' }, {}, 5_000],
    [503, { jsonrpc: '2.0', id: 1, error: { code: 1, data: { code: 'not_accepting' } } }, {}, 5_000],
    [503, { code: 'not_accepting' }, { 'retry-after': '7' }, 7_000],
    [429, { code: 'rate_limited' }, { 'retry-after': '7000' }, 60_000],
    [429, {}, { 'retry-after': 'soon' }, 5_000],
  ])(
    'of %i with %j and %j asks for a later attempt that does not count',
    async (status, body, headers, ms) => {
      const result = await read(status, JSON.stringify(body), { ...JSON_TYPE, ...headers });
      expect(result).toEqual({ kind: 'not-accepting', retryAfterMs: ms });
    },
  );
});

describe('a response with a status of 2xx', () => {
  it.each([
    [200, '{"jsonrpc":"2.0","id":1,"result":"hi"}', 'answer'],
    [200, '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}', 'answer'],
    [200, '{"status":"queued","queued":true}', 'accepted'],
    [202, '', 'accepted'],
    [204, '', 'accepted'],
    [202, '<html>', 'accepted'],
    [200, '<html>', 'unreadable'],
    [200, '', 'unreadable'],
    [200, '[1]', 'unreadable'],
  ])('of %i with %s: %s', async (status, body, kind) => {
    const result = await read(status, body);
    expect(result.kind).toBe(kind);
    if (result.kind === 'unreadable') expect(result.error.code).toBe('agent_answer_invalid');
  });

  it.each([
    ['10 MiB of text and a byte', ' '.repeat(10 * MIB + 1)],
    [
      'bytes that grow when they are read',
      Buffer.concat([Buffer.from('{"text":"'), Buffer.alloc(4 * MIB, 0xff)]),
    ],
  ])('of %s is too large', async (_name, body) => {
    expect(await read(200, body)).toMatchObject({
      kind: 'unreadable',
      error: { code: 'agent_answer_too_large', delivered: true, hint: expect.any(String) },
    });
  });

  it('of 64 levels and 50 000 values is read, and of one more refused', async () => {
    const nested = (levels: number) =>
      `{"result":{"data":${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}}}`;
    const listed = (values: number) => JSON.stringify({ result: { list: Array(values - 3).fill(0) } });
    for (const body of [nested(64), listed(50_000)]) expect((await read(200, body)).kind).toBe('answer');
    for (const [body, limit] of [
      [nested(65), '64 levels'],
      [listed(50_001), '50000 JSON values'],
      [nested(1_000_000), '64 levels'],
    ] as const) {
      expect(await read(200, body)).toMatchObject({
        kind: 'unreadable',
        error: { code: 'agent_answer_invalid', error: expect.stringContaining(limit), delivered: true },
      });
    }
  });
});

/** A response whose body comes as the test says. */
function startReading(memory = new AnswerMemory(), clock = new ManualClock()) {
  const ending = new AbortController();
  const body = new Readable({ read: () => {}, highWaterMark: 1 });
  const share = memory.open('a').share();
  let isTooSlow = false;
  const onTimeout = () => {
    isTooSlow = true;
    ending.abort();
    body.destroy(new Error('too slow'));
  };
  const reading = { ...TIMER, clock, openShare: () => share, signal: ending.signal, onTimeout };
  // biome-ignore lint/suspicious/noExplicitAny: a response without what undici adds
  const received = { statusCode: 200, headers: {}, body } as any;
  const read = readResponse(received, reading).finally(() => share.release());
  read.catch(() => undefined);
  return { memory, clock, body, ending, share, read, isTooSlow: () => isTooSlow };
}

describe('the body of an agent’s response', () => {
  it('is joined from any number of chunks', async () => {
    const { body, read } = startReading();
    const result = Array.from({ length: 1_000 }, (_, index) => index);
    for (const each of JSON.stringify({ result })) body.push(each);
    body.push(null);
    expect(await read).toEqual({ kind: 'answer', body: { result } });
  });

  it('of more bytes than are allowed is not read to its end', async () => {
    const { body, read } = startReading();
    body.push(Buffer.alloc(10 * MIB));
    body.push('x');
    expect(await read).toMatchObject({ error: { code: 'agent_answer_too_large' } });
    expect(body.destroyed).toBe(true);
  });

  it('is not read while others have the memory, and takes its time afterwards', async () => {
    const { memory, clock, body, read, isTooSlow } = startReading();
    const other = memory.open('a').share();
    void other.grow(32 * MIB, new AbortController().signal);
    body.push(Buffer.alloc(MIB));
    await turn();
    body.push(Buffer.alloc(MIB));
    await turn();
    expect(body.readableLength).toBe(MIB);
    clock.advance(1_000_000);
    other.release();
    await turn();
    expect(body.readableLength).toBe(0);
    clock.advance(60_000);
    body.push(null);
    expect(await read).toMatchObject({ error: { code: 'agent_answer_invalid' } });
    expect(isTooSlow()).toBe(false);
  });

  it('has 60 s and one more for each 256 KiB, once it is not small', async () => {
    const { clock, body, read, isTooSlow } = startReading();
    body.push(Buffer.alloc(64 * 1024));
    await turn();
    clock.advance(200_000);
    body.push(Buffer.alloc(192 * 1024));
    await turn();
    clock.advance(60_999);
    body.push(Buffer.alloc(MIB));
    await turn();
    clock.advance(4_000);
    expect(isTooSlow()).toBe(false);
    clock.advance(1);
    expect(isTooSlow()).toBe(true);
    await expect(read).rejects.toThrow('too slow');
  });

  it('gives its memory back when it is aborted while it waits', async () => {
    const { memory, body, ending, read } = startReading();
    const other = memory.open('a').share();
    void other.grow(32 * MIB, new AbortController().signal);
    body.push(Buffer.alloc(MIB));
    await turn();
    ending.abort(new Error('stopped'));
    await expect(read).rejects.toThrow('stopped');
    expect(body.destroyed).toBe(true);
  });
});
