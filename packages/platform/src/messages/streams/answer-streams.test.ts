import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import { AnswerMemory } from './answer-memory.ts';
import { type AnswerStream, AnswerStreams } from './answer-streams.ts';

const LONG = 'x'.repeat(100_000);
const LIMITS = { maxBytes: 3 * LONG.length, maxBytesPerWorkspace: 2 * LONG.length };

/** Streams with memory for three long texts, two of one workspace. */
function openStreams() {
  const memory = new AnswerMemory(LIMITS);
  const streams = new AnswerStreams(memory);
  const write = (id: string, workspaceId = id, text = LONG) => {
    const source = streams.open(id).attempt(workspaceId);
    source.add(text);
    return source;
  };
  return { memory, streams, write };
}

/** Whether a promise has resolved by now. */
async function hasResolved(promise: Promise<void>): Promise<boolean> {
  let isDone = false;
  void promise.then(
    () => {
      isDone = true;
    },
    () => undefined,
  );
  await new Promise<void>((resolve) => setImmediate(resolve));
  return isDone;
}

describe('the memory of texts', () => {
  it('is used by those that are read, in all and of one workspace', () => {
    const { memory, streams, write } = openStreams();
    const readers = ['a1', 'a2'].map((id) => streams.open(id).read());
    for (const id of ['a1', 'a2']) write(id, 'a');
    expect([memory.open('a').fits(LONG.length), memory.open('b').fits(LONG.length)]).toEqual([false, true]);
    streams.open('b').read();
    write('b');
    expect(memory.open('c').fits(LONG.length)).toBe(false);
    readers[0]?.leave();
    expect(memory.open('a').fits(LONG.length)).toBe(true);
    expect(streams.find('a1')?.text.length).toBe(0);
  });

  it('is given back by a text that has ended once nobody reads it', () => {
    const { memory, streams, write } = openStreams();
    const reader = streams.open('a').read();
    write('a', 'w');
    streams.open('b').read();
    write('b', 'w');
    streams.end('a');
    expect(memory.open('w').fits(LONG.length)).toBe(false);
    expect(reader.take(LONG.length).text).toBe(LONG);
    reader.leave();
    expect(memory.open('w').fits(LONG.length)).toBe(true);
  });

  it('is taken from texts that nobody reads, those first that have not grown for longest, however many have no text', () => {
    const { streams, write } = openStreams();
    for (let index = 0; index < 200; index += 1) streams.open(`silent ${index}`).read();
    for (const id of ['a', 'b']) write(id).close();
    write('a', 'a', `${LONG}more`).close();
    const reader = streams.open('b').read();
    write('c').close();
    expect([streams.find('a'), streams.find('b')?.text.length]).toEqual([undefined, LONG.length]);
    reader.leave();
    write('d').close();
    write('e').close();
    expect(streams.find('c')).toBeUndefined();
    expect(streams.find('b')?.text.length).toBe(LONG.length);
  });

  it('is taken from a text that is made while nobody reads it: whoever comes later gets the whole, or the next attempt', () => {
    const { memory, streams, write } = openStreams();
    const source = write('a', 'w');
    expect(memory.open('w').fits(2 * LONG.length)).toBe(true);
    source.add('more');
    const reader = streams.open('a').read();
    expect(reader.take(10)).toEqual({ text: '', isAnew: false });
    source.close();
    streams.open('a').append('reported');
    expect(reader.take(10).text).toBe('reported');
    streams.open('a').attempt('w').add('again');
    expect(reader.take(10)).toEqual({ text: 'again', isAnew: true });
  });

  it('keeps no stream without a text, a reader and a source', () => {
    const { streams } = openStreams();
    const reader = streams.open('a').read();
    const source = streams.open('a').attempt('w');
    reader.leave();
    expect(streams.find('a')).toBeDefined();
    source.close();
    source.close();
    expect(streams.find('a')).toBeUndefined();
  });
});

describe('an agent whose answer is read', () => {
  const wait = (
    { stream }: { stream: AnswerStream },
    clock = new ManualClock(),
    { signal } = new AbortController(),
  ) => stream.untilRead(clock, 60_000, signal);

  it('is held back while all readers are behind, and not without readers', async () => {
    const streams = new AnswerStreams();
    const source = streams.open('a').attempt('w');
    source.add(LONG.repeat(3));
    expect(source.stream.isHeldBack).toBe(false);
    const [slow, quick] = [streams.open('a').read(), streams.open('a').read()];
    expect(source.stream.isHeldBack).toBe(true);
    const move = wait(source);
    expect(await hasResolved(move)).toBe(false);
    quick.take(LONG.length);
    expect(await hasResolved(move)).toBe(true);
    expect(source.stream.isHeldBack).toBe(false);
    quick.isBlocked = true;
    expect(source.stream.isHeldBack).toBe(true);
    slow.leave();
    expect(source.stream.isHeldBack).toBe(true);
    const next = wait(source);
    quick.isBlocked = false;
    expect(await hasResolved(next)).toBe(true);
    expect(source.stream.isHeldBack).toBe(false);
  });

  it('is held back no longer when the time is over, or its push is aborted', async () => {
    const source = new AnswerStreams().open('a').attempt('w');
    source.stream.read().isBlocked = true;
    const clock = new ManualClock();
    const first = wait(source, clock);
    clock.advance(59_999);
    expect(await hasResolved(first)).toBe(false);
    clock.advance(1);
    expect(await hasResolved(first)).toBe(true);
    const stopping = new AbortController();
    const second = wait(source, clock, stopping);
    stopping.abort();
    expect(await hasResolved(second)).toBe(true);
    expect(source.stream.isHeldBack).toBe(true);
  });

  it('is held back no longer when its message ends', async () => {
    const streams = new AnswerStreams();
    const source = streams.open('a').attempt('w');
    const reader = streams.open('a').read();
    reader.isBlocked = true;
    expect(source.stream.isHeldBack).toBe(true);
    const move = wait(source);
    streams.end('a');
    expect(await hasResolved(move)).toBe(true);
    expect(source.stream.isHeldBack).toBe(false);
    expect(source.stream.ended.aborted).toBe(true);
    source.add('late');
    expect(reader.take(10).text).toBe('');
  });
});

describe('a reader of a text', () => {
  it('takes all of it, and no piece ends in a surrogate pair', () => {
    const unit = fc.constantFrom('a', '😀', '\n', 'é');
    fc.assert(
      fc.property(fc.array(unit), fc.integer({ min: 2, max: 5 }), (units, length) => {
        const whole = units.join('');
        const streams = new AnswerStreams();
        const source = streams.open('a').attempt('w');
        const reader = streams.open('a').read();
        const pieces: string[] = [];
        const take = () => {
          for (let { text } = reader.take(length); text !== ''; { text } = reader.take(length))
            pieces.push(text);
        };
        for (const half of whole.split('')) {
          source.add(half);
          take();
        }
        streams.end('a');
        take();
        expect(pieces.join('')).toBe(whole);
        expect(reader.taken()).toBe(whole);
        for (const piece of pieces) expect(() => encodeURIComponent(piece)).not.toThrow();
      }),
      { seed: 1 },
    );
  });

  it('gets what a repeat adds, and another text from its beginning', () => {
    const text = fc.string({ maxLength: 6, unit: fc.constantFrom('a', 'b') });
    fc.assert(
      fc.property(fc.array(fc.array(text, { maxLength: 4 }), { minLength: 1, maxLength: 4 }), (attempts) => {
        const streams = new AnswerStreams();
        const reader = streams.open('a').read();
        let shown = '';
        let kept = '';
        for (const pieces of attempts) {
          const source = streams.open('a').attempt('w');
          for (const piece of pieces) {
            source.add(piece);
            for (;;) {
              const { text: taken, isAnew } = reader.take(3);
              if (isAnew) shown = '';
              shown += taken;
              if (taken === '') break;
            }
          }
          source.close();
          const made = pieces.join('');
          kept = kept.startsWith(made) ? kept : made;
          expect(shown).toBe(kept);
        }
      }),
      { seed: 1 },
    );
  });
});
