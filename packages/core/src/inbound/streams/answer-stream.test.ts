import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import type { AnswerReader } from './answer-reader.ts';
import { AnswerStream } from './answer-stream.ts';
import { AnswerStreams } from './answer-streams.ts';
import { type AttemptText, MAX_ANSWER_LENGTH } from './attempt-text.ts';

const shown = { isShown: true, isRequest: false, onFirst: async () => {} };
const { signal } = new AbortController();

/** Whether a promise is settled when everything that needs no time has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  promise.then(settle, settle);
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

async function all(reader: AnswerReader, maxLength = 1_000): Promise<string> {
  let text = '';
  for (;;) {
    const changed = reader.changed();
    const piece = await reader.take(maxLength);
    text += piece;
    if (reader.isComplete) return text;
    if (piece === '') await changed;
  }
}

describe('the readers of an answer', () => {
  it('get all of it, each from its beginning, however it is cut', async () => {
    const deltas = fc.array(fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('\ud83d', '\ude00', '😀')));
    await fc.assert(
      fc.asyncProperty(deltas, fc.integer({ min: 2, max: 7 }), async (pieces, maxLength) => {
        const stream = new AnswerStream();
        const text = stream.begin(shown);
        const early = all(stream.read(), maxLength);
        for (const piece of pieces) await text.append(piece, signal);
        text.complete();
        const whole = pieces.join('');
        expect([await early, await all(stream.read(), maxLength), text.toString()]).toEqual(
          Array(3).fill(whole),
        );
      }),
    );
  });

  it('get no half of a surrogate pair, unless the text ends with it', async () => {
    const stream = new AnswerStream();
    const text = stream.begin(shown);
    const reader = stream.read();
    await text.append('a\ud83d', signal);
    expect([await reader.take(10), await reader.take(10)]).toEqual(['a', '']);
    await text.append('\ude00\ud83d', signal);
    expect(await reader.take(10)).toBe('😀');
    text.complete();
    expect([await reader.take(10), reader.isComplete]).toEqual(['\ud83d', true]);
  });

  it('get nothing before it is recorded that text leaves, once', async () => {
    const stream = new AnswerStream();
    const recorded = Promise.withResolvers<void>();
    let records = 0;
    const onFirst = (): Promise<void> => {
      records += 1;
      return recorded.promise;
    };
    const text = stream.begin({ ...shown, onFirst });
    const [one, two] = [stream.read(), stream.read()];
    expect([await one.take(9), records, text.hasLeft]).toEqual(['', 0, false]);
    await text.append('hello', signal);
    const pieces = Promise.all([one.take(9), two.take(9)]);
    expect([await isSettled(pieces), text.hasLeft, records]).toEqual([false, false, 1]);
    recorded.resolve();
    expect([await pieces, text.hasLeft]).toEqual([['hello', 'hello'], true]);
  });

  it('follow the next attempt as long as they have taken nothing; what was discarded is not shown', async () => {
    const stream = new AnswerStream();
    const [fresh, begun] = [stream.read(), stream.read()];
    const first = stream.begin(shown);
    await first.append('first', signal);
    expect(await begun.take(3)).toBe('fir');
    first.discard();
    expect([await begun.take(9), await fresh.take(9), begun.isComplete]).toEqual(['', '', false]);
    expect([begun.isCutOff, fresh.isCutOff]).toEqual([true, false]);
    const second = stream.begin(shown);
    await second.append('second', signal);
    expect([await begun.take(9), await fresh.take(9)]).toEqual(['', 'second']);
  });

  it('that come to a silent attempt get nothing of it', async () => {
    const stream = new AnswerStream();
    const text = stream.begin({ ...shown, isShown: false });
    await text.append('hello', signal);
    text.complete();
    const reader = stream.read();
    expect([await reader.take(9), reader.isComplete, text.hasLeft]).toEqual(['', true, false]);
  });
});

describe('the text of an attempt that failed', () => {
  const drained = async (stream: AnswerStream, text: AttemptText, clock = new ManualClock()) => {
    const draining = stream.drain(text, clock, signal);
    expect(await isSettled(draining)).toBe(false);
    return { draining, clock };
  };

  it('waits for its readers, and takes nothing more', async () => {
    const stream = new AnswerStream();
    const text = stream.begin(shown);
    const [one, two] = [stream.read(), stream.read()];
    await text.append('hello\ud83d', signal);
    const { draining } = await drained(stream, text);
    expect([await one.take(9), await two.take(3)]).toEqual(['hello\ud83d', 'hel']);
    expect([await isSettled(draining), text.hasLeft]).toEqual([false, true]);
    two.leave();
    await draining;
    await expect(text.append('!', signal)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('waits until what a reader took has arrived', async () => {
    const stream = new AnswerStream();
    const text = stream.begin(shown);
    const reader = stream.read({ confirms: true });
    await text.append('hello', signal);
    await reader.take(9);
    const { draining } = await drained(stream, text);
    expect(text.hasLeft).toBe(false);
    reader.goBack(0);
    await reader.take(9);
    reader.confirm();
    await draining;
    expect(text.hasLeft).toBe(true);
  });

  it('waits for two seconds, for nobody who holds nothing back, and not where nobody reads', async () => {
    const stream = new AnswerStream();
    const text = stream.begin(shown);
    const reader = stream.read();
    await text.append('hello', signal);
    const { draining, clock } = await drained(stream, text);
    await clock.advance(1_999);
    expect(await isSettled(draining)).toBe(false);
    await clock.advance(1);
    await draining;
    reader.holdsBack = false;
    await stream.drain(text, clock, signal);
    reader.leave();
    await stream.drain(text, clock, signal);
    expect([text.hasLeft, clock.pending]).toEqual([false, 0]);
  });

  it('waits no longer after an abort', async () => {
    const stream = new AnswerStream();
    const text = stream.begin(shown);
    stream.read();
    await text.append('hello', signal);
    const stopping = new AbortController();
    const draining = stream.drain(text, new ManualClock(), stopping.signal);
    stopping.abort();
    await draining;
  });
});

describe('an answer that is sent as a request', () => {
  const MAX = 1024 * 1024 - 1024;

  it.each([
    ['letters', 'x', 1, 50_000],
    ['escapes', '\u0001', 6, 1_000],
    ['quotes', '"', 2, 7_001],
    ['halves of surrogate pairs', '😀', 4, 1_111],
    ['umlauts', 'ä', 2, 4_096],
  ])('has at most 1 MiB as JSON, however it is cut: %s', async (_what, unit, bytes, pieceLength) => {
    const text = new AnswerStream().begin({ ...shown, isRequest: true });
    const whole = unit.repeat(Math.ceil((2 * MAX) / bytes));
    const append = async () => {
      for (let at = 0; at < whole.length; at += pieceLength) {
        await text.append(whole.slice(at, at + pieceLength), signal);
      }
    };
    await expect(append()).rejects.toMatchObject({ code: 'agent_answer_too_large' });
    const sent = Buffer.byteLength(JSON.stringify(text.toString()));
    expect(sent).toBeLessThanOrEqual(MAX);
    expect(sent).toBeGreaterThan(MAX - (pieceLength + 1) * 6);
    expect(text.rejection).toMatchObject({ hint: expect.stringContaining('URL') });
  });

  it('is not shown beyond that', async () => {
    const stream = new AnswerStream();
    const text = stream.begin({ ...shown, isRequest: true });
    await text.append('x'.repeat(MAX - 2), signal);
    await expect(text.append('x', signal)).rejects.toMatchObject({ code: 'agent_answer_too_large' });
    expect(await stream.read().take(2 * MAX)).toHaveLength(MAX - 2);
  });
});

describe('a handler', () => {
  const piece = 'x'.repeat(60_000);

  /** The answer of a message; `places.isWanted` says whether another message waits for its place. */
  function waitingStage() {
    const clock = new ManualClock();
    const places = { isWanted: false };
    const streams = new AnswerStreams({ clock, isPlaceWanted: () => places.isWanted });
    return { clock, places, streams, stream: streams.of('row') };
  }

  it('waits for the fastest reader when it is 64 Ki ahead, and for nobody without readers', async () => {
    const { stream } = waitingStage();
    const text = stream.begin(shown);
    for (let count = 0; count < 10; count += 1) await text.append(piece, signal);
    const [slow, fast] = [stream.read(), stream.read()];
    const waits = text.append(piece, signal);
    expect(await isSettled(waits)).toBe(false);
    await slow.take(10);
    while (text.length - fast.place > 64 * 1024) {
      expect(await isSettled(waits)).toBe(false);
      await fast.take(50_000);
    }
    await waits;
    // One that does not hold it back is not waited for, nor one that has left.
    const again = text.append(piece, signal);
    expect(await isSettled(again)).toBe(false);
    fast.holdsBack = false;
    expect(await isSettled(again)).toBe(false);
    slow.leave();
    await again;
  });

  it('waits for 5 s in all', async () => {
    const { stream, clock } = waitingStage();
    const reader = stream.read();
    const text = stream.begin(shown);
    await text.append(piece, signal);
    for (const waitedMs of [2_000, 2_000]) {
      const waits = text.append(piece, signal);
      await clock.advance(waitedMs);
      expect(await isSettled(waits)).toBe(false);
      while (reader.place < text.length) await reader.take(50_000);
      await waits;
      // Time in which nothing is waited for does not count.
      await clock.advance(60_000);
      await text.append(piece, signal);
    }
    const last = text.append(piece, signal);
    await clock.advance(999);
    expect(await isSettled(last)).toBe(false);
    await clock.advance(1);
    await last;
    for (let count = 0; count < 10; count += 1) await text.append(piece, signal);
    text.complete();
    expect(await all(reader, 1_000_000)).toHaveLength(text.length - 4 * piece.length);
    expect(clock.pending).toBe(0);
  });

  it('does not wait while a message waits for its place', async () => {
    const { stream, streams, clock, places } = waitingStage();
    stream.read();
    const text = stream.begin(shown);
    await text.append(piece, signal);
    const waits = text.append(piece, signal);
    expect(await isSettled(waits)).toBe(false);
    places.isWanted = true;
    streams.placeWanted();
    await waits;
    await text.append(piece, signal);
    places.isWanted = false;
    const again = text.append(piece, signal);
    expect(await isSettled(again)).toBe(false);
    await clock.advance(5_000);
    await again;
  });

  it('that waits is released by its signal, with the reason', async () => {
    const { stream } = waitingStage();
    const text = stream.begin(shown);
    stream.read();
    const aborting = new AbortController();
    await text.append(piece, aborting.signal);
    const waits = text.append(piece, aborting.signal);
    aborting.abort(new Error('stopped'));
    await expect(waits).rejects.toThrow('stopped');
    await expect(text.append('x', aborting.signal)).rejects.toThrow('stopped');
  });

  it('streams at most 10 Mi characters, and nothing after it has returned', async () => {
    const text = new AnswerStream().begin(shown);
    await text.append('x'.repeat(MAX_ANSWER_LENGTH), signal);
    await expect(text.append('x', signal)).rejects.toMatchObject({ code: 'agent_answer_too_large' });
    expect(text.rejection).toMatchObject({ code: 'agent_answer_too_large', hint: expect.any(String) });
    text.complete();
    await expect(text.append('', signal)).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
