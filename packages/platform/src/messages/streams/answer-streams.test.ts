import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerStreams } from './answer-streams.ts';
import { TextMemory } from './text-memory.ts';

const LONG = 'x'.repeat(100_000);

/** Streams with memory for three long texts. */
function openStreams() {
  const streams = new AnswerStreams(new TextMemory(3 * LONG.length));
  const write = (id: string, text = LONG) => {
    const source = streams.open(id).attempt();
    source.add(text);
    return source;
  };
  return { streams, write };
}

/** Whether a promise has resolved by now. */
async function hasResolved(promise: Promise<void>): Promise<boolean> {
  let isDone = false;
  void promise.then(() => {
    isDone = true;
  });
  await new Promise<void>((resolve) => setImmediate(resolve));
  return isDone;
}

describe('the memory of texts', () => {
  it('is for short texts, and for one long text, when it is full', async () => {
    const { streams, write } = openStreams();
    const [first, second] = [write('a'), write('b'), write('c')];
    expect(streams.isFull).toBe(true);
    const waits = [first.ready(), second.ready()];
    expect(await hasResolved(waits[0] as Promise<void>)).toBe(true);
    expect(await hasResolved(waits[1] as Promise<void>)).toBe(false);
    expect(await hasResolved(write('short', 'x').ready())).toBe(true);
    // The one that was exempt has ended, and the memory is full again: now it is the turn of the next one.
    streams.end('a');
    write('d');
    expect(streams.isFull).toBe(true);
    expect(await hasResolved(waits[1] as Promise<void>)).toBe(true);
  });

  it('is given back by a text that has ended once nobody reads it', async () => {
    const { streams, write } = openStreams();
    write('a');
    const reader = streams.open('a').read();
    write('b');
    write('c');
    streams.end('a');
    expect(streams.isFull).toBe(true);
    expect(reader.take(LONG.length).text).toBe(LONG);
    reader.leave();
    expect(streams.isFull).toBe(false);
  });

  it('is taken from texts that nobody reads or makes, those first that have not grown for longest', () => {
    const { streams, write } = openStreams();
    for (const id of ['a', 'b']) write(id).close();
    write('a', `${LONG}more`).close();
    const reader = streams.open('b').read();
    write('c');
    expect([streams.find('a'), streams.find('b')?.length]).toEqual([undefined, LONG.length]);
    reader.leave();
    write('d', LONG);
    write('e', LONG);
    expect(streams.find('b')).toBeUndefined();
    expect(streams.find('c')?.length).toBe(LONG.length);
  });

  it('keeps no stream without a text, a reader and a source', () => {
    const { streams } = openStreams();
    const reader = streams.open('a').read();
    const source = streams.open('a').attempt();
    reader.leave();
    expect(streams.size).toBe(1);
    source.close();
    source.close();
    expect(streams.size).toBe(0);
  });
});

describe('an agent whose answer is read', () => {
  it('is held back while all readers are behind, and not without readers', async () => {
    const streams = new AnswerStreams();
    const source = streams.open('a').attempt();
    source.add(LONG.repeat(3));
    expect(await hasResolved(source.ready())).toBe(true);
    const [slow, quick] = [streams.open('a').read(), streams.open('a').read()];
    const wait = source.ready();
    expect(await hasResolved(wait)).toBe(false);
    quick.take(LONG.length);
    expect(await hasResolved(wait)).toBe(true);
    quick.isBlocked = true;
    const next = source.ready();
    expect(await hasResolved(next)).toBe(false);
    slow.leave();
    expect(await hasResolved(next)).toBe(false);
    quick.isBlocked = false;
    expect(await hasResolved(next)).toBe(true);
  });

  it('is held back no longer when its message ends', async () => {
    const streams = new AnswerStreams();
    const source = streams.open('a').attempt();
    const reader = streams.open('a').read();
    reader.isBlocked = true;
    const wait = source.ready();
    expect(await hasResolved(wait)).toBe(false);
    streams.end('a');
    expect(await hasResolved(wait)).toBe(true);
    expect(source.ended.aborted).toBe(true);
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
        const source = streams.open('a').attempt();
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
          const source = streams.open('a').attempt();
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
    );
  });
});
