import { describe, expect, it } from 'vitest';
import { startInbound } from '../../test/inbound-stage.ts';
import type { AttemptContext, AttemptHandler } from './handler.ts';

async function* texts(...parts: string[]): AsyncGenerator<string> {
  yield* parts;
}

async function handled(handler: AttemptHandler) {
  const run = await startInbound({ handler });
  run.feed.push({ id: 'row-1' });
  await run.advance(1_000);
  return run;
}

const data = { kind: 'data', data: { a: 1 } } as const;
const question = { id: 'q1', kind: 'text', text: 'Which one?', from: 'sender' } as const;

describe('what a handler streams', () => {
  it.each<[string, (context: AttemptContext) => unknown, object]>([
    ['nothing: the streamed text', () => undefined, { text: 'one two' }],
    ['a text that begins with it: that text', () => 'one two three', { text: 'one two three' }],
    ['another text: both', () => ' three', { text: 'one two three' }],
    ['an iterable: both', () => texts(' three', ' four'), { text: 'one two three four' }],
    [
      'an object: its text likewise',
      () => ({ text: '!', parts: [data] }),
      { text: 'one two!', parts: [data] },
    ],
    [
      'a question: the text and the question',
      () => ({ text: '', questions: [question] }),
      { text: 'one two', metadata: { questions: [question] } },
    ],
  ])('and %s is one answer', async (_name, returned, expected) => {
    const run = await handled(async (_message, context) => {
      for (const character of 'one two') await context.stream(character);
      return returned(context);
    });
    expect(run.feed.replies).toMatchObject([expected]);
    expect(run.feed.acks).toEqual(['row-1']);
  });

  it('that is blank is no answer', async () => {
    const run = await handled((_message, { stream }) => stream(' '));
    expect(run.feed.replies).toEqual([]);
    expect(run.observed).toContain('delivered:row-1');
  });

  it.each<[string, AttemptHandler, string]>([
    ['after a reply', async (_m, { reply, stream }) => reply('a').then(() => stream('b')), 'invalid_answer'],
    ['before a reply', async (_m, { reply, stream }) => stream('b').then(() => reply('a')), 'invalid_answer'],
    ['that is not a text', (_m, { stream }) => stream(42 as never), 'invalid_answer'],
  ])('%s is a clear error, and no attempt follows', async (_name, handler, code) => {
    const errors: unknown[] = [];
    const run = await handled(async (message, context) => {
      try {
        await handler(message, context);
      } catch (error) {
        errors.push(error);
        throw error;
      }
    });
    await run.advance(200_000);
    expect(errors).toMatchObject([{ code, hint: expect.stringMatching(/./) }]);
    expect(run.observed).toContain('gaveUp:row-1:handler:1');
  });

  it('as an iterable after a reply is an error that names it, closes the iterable, and is not tried again', async () => {
    let isClosed = false;
    const run = await handled(async (_message, { reply }) => {
      await reply('the answer');
      const next = async () => ({ done: true, value: undefined }) as const;
      const end = async () => {
        isClosed = true;
        return { done: true, value: undefined } as const;
      };
      return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
    });
    await run.advance(200_000);
    expect([run.feed.replies.map(({ text }) => text), run.handled, isClosed]).toEqual([
      ['the answer'],
      ['row-1'],
      true,
    ]);
    expect(run.inbound.deadLetters.list()).toMatchObject([{ errorCode: 'invalid_answer' }]);
  });

  it('after the handler returned is an error, and not part of the answer', async () => {
    const late = Promise.withResolvers<void>();
    const errors: unknown[] = [];
    const run = await handled((_message, { stream }) => {
      void late.promise.then(() => stream('late')).catch((error: unknown) => errors.push(error));
      return 'answer';
    });
    late.resolve();
    await run.advance();
    expect(errors).toMatchObject([{ code: 'invalid_argument' }]);
    expect(run.feed.replies.map(({ text }) => text)).toEqual(['answer']);
  });
});
