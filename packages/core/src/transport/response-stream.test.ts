import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { EventReader, ResponseStream } from './response-stream.ts';

const KIB_64 = Buffer.alloc(64 * 1024);

let clock: ManualClock;
let calls: string[];
let stream: ResponseStream;
beforeEach(() => {
  clock = new ManualClock();
  calls = [];
  stream = new ResponseStream({
    connection: { pause: () => void calls.push('pause'), resume: () => void calls.push('resume') },
    clock,
    idleTimeoutMs: 1_000,
    onIdle: () => void calls.push('idle'),
    onClose: () => void calls.push('close'),
  });
});
afterEach(() => stream.complete());

describe('a response that is read as it arrives', () => {
  it('receives nothing more while nobody reads', async () => {
    stream.push(KIB_64);
    expect(calls).toEqual([]);
    stream.push(Buffer.from('a'));
    expect(calls).toEqual(['pause']);
    expect(await stream.read()).toBe(KIB_64);
    expect(calls).toEqual(['pause']);
    expect(String(await stream.read())).toBe('a');
    expect(calls).toEqual(['pause', 'resume']);
  });

  it('has a limit of time without a byte, which each byte renews', async () => {
    await clock.advance(900);
    stream.push(Buffer.from(':'));
    await clock.advance(900);
    expect(calls).toEqual([]);
    await clock.advance(100);
    expect(calls).toEqual(['idle']);
  });

  it('which does not pass while nothing is received', async () => {
    stream.push(KIB_64);
    stream.push(KIB_64);
    await clock.advance(5_000);
    expect(calls).toEqual(['pause']);
    await stream.read();
    await stream.read();
    await clock.advance(900);
    expect(calls).toEqual(['pause', 'resume']);
    await clock.advance(1_100);
    expect(calls).toEqual(['pause', 'resume', 'idle']);
  });
});

describe('server-sent events', () => {
  const open = (isStrict = false) => EventReader.open(stream, { maxLength: 100, isStrict });

  it('are read however their bytes are cut', async () => {
    const bytes = Buffer.from(
      '\ufeff: comment\r\n\r\nevent: x\nid: 1\ndata: {"a":\ndata: "ä😀"}\n\ndata:[]\n\n',
    );
    for (const byte of bytes) stream.push(Buffer.of(byte));
    stream.complete();
    const events = await open();
    expect(await events.next()).toEqual({ kind: 'event', data: { a: 'ä😀' } });
    expect(await events.next()).toEqual({ kind: 'event', data: [] });
    expect(await events.next()).toEqual({ kind: 'end' });
  });

  it('that are not JSON have no data', async () => {
    stream.push(Buffer.from('data: hello\n\n'));
    expect(await (await open()).next()).toEqual({ kind: 'event', data: undefined });
  });

  it('have a limit of length, also before their end', async () => {
    stream.push(Buffer.from(`data: "${'x'.repeat(200)}"\n\n`));
    expect(await (await open()).next()).toEqual({ kind: 'too-large' });
    stream.push(Buffer.from(`data: "${'x'.repeat(200)}`));
    expect(await (await open()).next()).toEqual({ kind: 'too-large' });
  });

  it('of peers have limits of values and levels', async () => {
    const deep = `data: ${'['.repeat(65)}\n\n`;
    stream.push(Buffer.from(deep));
    stream.push(Buffer.from(deep));
    expect(await (await open(true)).next()).toEqual({ kind: 'too-complex' });
    expect(await (await open()).next()).toMatchObject({ kind: 'event', data: undefined });
  });
});
