import { describe, expect, it } from 'vitest';
import { startInbound } from '../../test/inbound-stage.ts';
import { readAnswer } from './attempt.ts';
import type { AttemptHandler } from './handler.ts';

async function* texts(...parts: unknown[]): AsyncGenerator<string> {
  for (const part of parts) yield part as string;
}

async function sent(value: unknown, change: { source?: 'canvas_user' } = {}) {
  const run = await startInbound({ handler: async () => value });
  run.feed.push({ id: 'row-1', ...change });
  await run.advance(1_000);
  return run;
}

describe('what a handler returns', () => {
  const question = { id: 'q1', kind: 'text', text: 'Which one?', from: 'sender' } as const;

  it.each<[string, unknown]>([
    ['the number 42', 42],
    ['the boolean true', true],
    ['a Buffer', Buffer.from('secret')],
    ['an Array', ['secret']],
    ['an object whose text is undefined', { answer: 'secret' }],
    ['an object whose text is the number 7', { text: 7 }],
    [
      'an object with unusable fields (parts[0]: must be an object, not a text)',
      { text: 'x', parts: ['secret'] },
    ],
    [
      'an object with unusable fields (questions[0].from: is missing)',
      { text: 'x', questions: [{ ...question, from: undefined }] },
    ],
    [
      'an object with unusable fields (questions: must have at most 20 entries)',
      { text: 'x', questions: Array.from({ length: 21 }, (_, n) => ({ ...question, id: `q${n}` })) },
    ],
    [
      'an object with unusable fields (questions: must have different ids)',
      { text: 'x', questions: [question, question] },
    ],
    ['a Map', new Map()],
    [
      'an Answer',
      new (class Answer {
        text = 'secret';
      })(),
    ],
    ['yielded the number 1', () => texts('half of ', 1)],
  ])('%s is an error at once, and nothing is sent', async (name, value) => {
    const failures: unknown[] = [];
    const run = await startInbound({ handler: async () => (typeof value === 'function' ? value() : value) });
    run.feed.capabilities = new Set(['outcomes']);
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect(run.handled).toEqual(['row-1']);
    expect(run.feed.replies).toEqual([]);
    expect(run.observed).toContain('gaveUp:row-1:handler:1');
    const [letter] = run.inbound.deadLetters.list();
    expect(letter?.errorCode).toBe('invalid_answer');
    expect(run.feed.outcomes).toEqual([
      [
        {
          activityId: 'row-1',
          outcome: 'failed',
          error: { message: 'The agent failed to handle this message.', code: 'invalid_answer' },
        },
      ],
    ]);
    await run.inbound.deadLetters.replay('row-1').catch((error: unknown) => failures.push(error));
    expect(failures).toEqual([expect.objectContaining({ message: expect.stringContaining(name) })]);
    expect(JSON.stringify(failures)).not.toContain('secret');
  });

  it('keys that may be words of somebody are not logged, those without a value are no keys', async () => {
    const run = await sent({ text: 'x', 'a secret of Ann': 1, part: undefined, parts: undefined });
    expect(run.feed.replies).toMatchObject([{ text: 'x' }]);
    expect(run.logger.messages('warn')).toEqual([]);
  });

  it.each<[string, (rounds: () => boolean) => AttemptHandler]>([
    [
      'an iterable of empty texts',
      (goesOn) =>
        async function* () {
          while (goesOn()) yield '';
        },
    ],
    [
      'an iterable of characters',
      (goesOn) =>
        async function* () {
          while (goesOn()) yield 'x';
        },
    ],
    [
      'a loop of streamed texts',
      (goesOn) =>
        async (_message, { stream }) => {
          while (goesOn()) await stream('');
        },
    ],
  ])('%s that never waits leaves time to everything else, also to its abort', async (_name, handler) => {
    const limit = 3_000_000;
    let rounds = 0;
    const run = await startInbound({
      handler: handler(() => {
        rounds += 1;
        return rounds < limit;
      }),
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect(run.handled).toEqual(['row-1']);
    run.inbound.abortHandlers(new Error('stopped'));
    await run.inbound.suspend();
    await run.inbound.drain(0, new Error('stopped'));
    expect(rounds).toBeGreaterThan(0);
    expect(rounds).toBeLessThan(limit);
  });

  it('that ignores its abort and every error leaves the place of its message after five seconds', async () => {
    const limit = 3_000_000;
    let rounds = 0;
    const run = await startInbound({
      handler: async ({ id }, { stream }) => {
        if (id === 'row-2') return 'handled';
        for (; rounds < limit; rounds += 1) await stream('i').catch(() => {});
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    run.feed.push({ id: 'row-2', contextId: 'another' });
    run.feed.push({ id: 'row-3', method: 'cancel_task', params: { id: 'row-1' } });
    await run.advance(1_000);
    expect(run.handled).toEqual(['row-1']);
    await run.advance(5_000);
    expect(run.observed).toEqual(expect.arrayContaining(['stuck:row-1', 'cancelled:row-1']));
    expect(run.handled).toEqual(['row-1', 'row-2']);
    await run.advance(1_000);
    expect(run.feed.replies.map(({ text }) => text)).toEqual(['handled']);
    expect(rounds).toBeLessThan(limit);
    rounds = limit;
  });

  it('after its signal aborted is not an answer: an iterable is closed, its beginning is not sent', async () => {
    const closed: string[] = [];
    const handler = async function* () {
      try {
        yield 'half of the tex';
        await new Promise((resolve) => setImmediate(resolve));
        yield await new Promise<string>(() => {});
      } finally {
        closed.push('closed');
      }
    };
    const iterator = () => {
      const generator = handler();
      return {
        [Symbol.asyncIterator]: () => ({
          next: () => generator.next(),
          return: async () => {
            closed.push('return called');
            return { done: true as const, value: undefined };
          },
        }),
      };
    };
    const run = await startInbound({ handler: iterator });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    run.inbound.abortHandlers(new Error('stopped'));
    await run.advance();
    await run.inbound.suspend();
    expect(closed).toEqual(['return called']);
    expect([run.feed.replies, run.feed.acks]).toEqual([[], []]);
  });

  it('says once that it answers nothing, and names a typo', async () => {
    const run = await startInbound({ handler: async () => undefined });
    for (const id of ['row-1', 'row-2']) run.feed.push({ id });
    await run.advance(1_000);
    expect(run.logger.messages('warn')).toEqual(['The handler answers nothing: its sender waits no longer.']);
    expect((await sent(null)).logger.messages('warn')).toEqual([]);
    expect(readAnswer({ txt: 'Hello.' })).toMatchObject({
      kind: 'invalid',
      error: { code: 'invalid_answer', hint: 'An answer has no key "txt". Did you mean text?' },
    });
  });

  it('may be questions or parts without a text', async () => {
    const parts = [{ kind: 'data', data: { left: 12 } }];
    const run = await sent({ parts });
    expect(run.feed.replies).toMatchObject([{ parts }]);
    expect(run.handled).toEqual(['row-1']);
  });
});
