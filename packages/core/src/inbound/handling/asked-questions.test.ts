import { describe, expect, it } from 'vitest';
import { startInbound } from '../../../test/inbound-stage.ts';
import { ApiError } from '../../errors/api-error.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { QuestionToAsk } from './asked-questions.ts';
import { questionsRefused, withoutQuestions, withQuestionIds } from './asked-questions.ts';

const ask: QuestionToAsk = { kind: 'text', text: 'Which one?', from: 'sender' };
const UUID = /^[0-9a-f-]{36}$/;

function refusal(): ApiError {
  const where = { status: 400, method: 'POST', path: '/' };
  return new ApiError('The id was used.', {
    ...where,
    code: 'request_rejected',
    platformCode: 'invalid_request',
  });
}

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

describe('questions that the platform refuses', () => {
  it.each(['returned', 'sent by context.reply'])('end the message at once, %s', async (how) => {
    const run = await startInbound({
      handler: async (_message, { reply }) => {
        const answer = { text: '', questions: [ask] };
        if (how === 'returned') return answer;
        await reply(answer);
        return undefined;
      },
    });
    run.feed.capabilities = new Set(['outcomes']);
    run.feed.replyFailures.push(refusal());
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    const error = { message: 'The agent failed to handle this message.', code: 'invalid_answer' };
    expect(run.feed.outcomes).toEqual([[{ activityId: 'row-1', outcome: 'failed', error }]]);
    expect(run.handled).toEqual(['row-1']);
    expect(run.inbound.deadLetters.list()).toMatchObject([{ errorCode: 'invalid_answer', attempts: 1 }]);
  });

  it('differ from other failures', () => {
    const asking = { text: '', metadata: { questions: [] } };
    expect(questionsRefused(asking, refusal())).toMatchObject({ code: 'invalid_answer' });
    expect(questionsRefused({ text: 'x' }, refusal())).toBeNull();
    const other = new MoleculeError('Down.', { code: 'platform_unavailable' });
    expect(questionsRefused(asking, other)).toBeNull();
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
