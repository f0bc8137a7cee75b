import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import { AnswerMemory } from '../answer-memory.ts';
import { readBody } from './response-body.ts';

const MIB = 1024 * 1024;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function startReading(memory = new AnswerMemory(), clock = new ManualClock()) {
  const ending = new AbortController();
  const body = new Readable({ read: () => {}, highWaterMark: 1 });
  const share = memory.open('a').share();
  let isTooSlow = false;
  const onTooSlow = () => {
    isTooSlow = true;
    ending.abort();
    body.destroy(new Error('too slow'));
  };
  const reading = { clock, share, signal: ending.signal, onTooSlow };
  // biome-ignore lint/suspicious/noExplicitAny: a stream without what undici adds
  const read = readBody(body as any, 10 * MIB, reading).finally(() => share.release());
  read.catch(() => undefined);
  return { memory, clock, body, ending, share, read, isTooSlow: () => isTooSlow };
}

describe('the body of an agent’s response', () => {
  it('is joined from any number of chunks', async () => {
    const { body, read } = startReading();
    const text = Array.from({ length: 1_000 }, (_, index) => `${index},`);
    for (const each of text) body.push(each);
    body.push(null);
    expect((await read)?.toString()).toBe(text.join(''));
  });

  it('of more bytes than are allowed is not read to its end', async () => {
    const { body, read } = startReading();
    body.push(Buffer.alloc(10 * MIB));
    body.push('x');
    expect(await read).toBeUndefined();
    expect(body.destroyed).toBe(true);
  });

  it('is not read while others have the memory, and takes its time afterwards', async () => {
    const { memory, clock, body, read, isTooSlow } = startReading();
    const other = memory.open('a').share();
    other.tryGrow(32 * MIB);
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
    expect(await read).toHaveLength(2 * MIB);
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
    other.tryGrow(32 * MIB);
    body.push(Buffer.alloc(MIB));
    await turn();
    ending.abort(new Error('stopped'));
    await expect(read).rejects.toThrow('stopped');
    expect(body.destroyed).toBe(true);
  });
});
