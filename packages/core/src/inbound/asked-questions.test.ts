import { describe, expect, it } from 'vitest';
import type { QuestionToAsk } from './handler.ts';
import { withoutQuestions, withQuestionIds } from './run.ts';

const ask: QuestionToAsk = { kind: 'text', text: 'Which one?', from: 'sender' };
const UUID = /^[0-9a-f-]{36}$/;

function idsOf(answer: ReturnType<typeof withQuestionIds>): unknown[] {
  const questions = (answer.metadata?.questions ?? []) as { id?: unknown }[];
  return questions.map(({ id }) => id);
}

describe('the id of a question', () => {
  const answer = { text: 'x', metadata: { questions: [ask, { ...ask, id: 'own' }, ask] } } as never;

  it('is kept when there is one, else derived from message, answer and place', () => {
    const [first, second, third] = idsOf(withQuestionIds(answer, 'row-1', 0));
    expect([first, second, third]).toEqual([expect.stringMatching(UUID), 'own', expect.stringMatching(UUID)]);
    expect(first).not.toBe(third);
    expect(idsOf(withQuestionIds(answer, 'row-1', 0))[0]).toBe(first);
    expect(idsOf(withQuestionIds(answer, 'row-2', 0))[0]).not.toBe(first);
    expect(idsOf(withQuestionIds(answer, 'row-1', 1))[0]).not.toBe(first);
  });

  it('is not added to other things of that name', () => {
    for (const metadata of [{}, { questions: 'many' }, { questions: [1, { text: 'x' }] }]) {
      expect(withQuestionIds({ text: 'x', metadata } as never, 'row-1', 0)).toEqual({ text: 'x', metadata });
    }
  });
});

describe('an answer with questions, for a platform that does not track them', () => {
  const answer = { text: 'The answer.', metadata: { questions: [ask], own: 1 } } as never;

  it('has their texts after its own, and its other metadata', () => {
    const expected = { text: 'The answer.\nWhich one?', metadata: { own: 1 } };
    expect(withoutQuestions(answer)).toEqual(expected);
    const only = { text: ask.text, metadata: { questions: [ask] } } as never;
    expect(withoutQuestions(only)).toEqual({ text: 'Which one?' });
  });

  it('is left alone when something else has that name', () => {
    for (const metadata of [{}, { questions: 'many' }, { questions: [1] }]) {
      expect(withoutQuestions({ text: 'x', metadata } as never)).toEqual({ text: 'x', metadata });
    }
  });
});
