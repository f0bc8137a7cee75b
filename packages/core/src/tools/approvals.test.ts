import { describe, expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import {
  approverOf,
  cannotAsk,
  checkQuestions,
  dataOfQuestion,
  isApproved,
  type QuestionAnswer,
  questionSuperseded,
  shownWhole,
  textOfAnswer,
  textOfQuestion,
} from './approvals.ts';

const FROM_PEER = { source: 'peer_agent', sourceId: PEER } as const;
const FROM_USER = { source: 'canvas_user', sourceId: '' } as const;

function answer(given: Partial<QuestionAnswer>): QuestionAnswer {
  return {
    questionId: 'q',
    decision: null,
    text: '',
    question: '',
    by: 'sender',
    ...given,
  } as QuestionAnswer;
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return MessageFailure.isInstance(error) ? error.code : String(error);
  }
}

it('asks the sender for an approval only where the sender is the user', () => {
  expect(approverOf('user', FROM_USER)).toBe('user');
  expect(approverOf('sender-when-user', FROM_USER)).toBe('sender');
  expect(approverOf('sender-when-user', FROM_PEER)).toBe('user');
});

it('asks at most 20 questions, and nobody where no answer is expected', () => {
  expect(codeOf(() => checkQuestions(20, { expectsAnswer: true }))).toBeUndefined();
  expect(codeOf(() => checkQuestions(21, { expectsAnswer: true }))).toBe('too_many_questions');
  expect(codeOf(() => checkQuestions(1, { expectsAnswer: false }))).toBe('nobody_to_ask');
});

describe('what a person sees of an action', () => {
  it('is the whole action, or the action is refused', () => {
    expect(shownWhole({ action: 'pay', args: { euros: 5 } })).toEqual({ action: 'pay', args: { euros: 5 } });
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    for (const action of ['x'.repeat(32 * 1024), circular, undefined, 5n]) {
      expect(dataOfQuestion(action)).toBeUndefined();
      expect(codeOf(() => shownWhole(action))).toBe('action_too_large');
    }
  });

  it('has a text that is not blank, cut between characters', () => {
    expect(textOfQuestion(' ', 'May it?')).toBe('May it?');
    expect(textOfQuestion(`${'x'.repeat(19_999)}😀`, '')).toBe('x'.repeat(19_999));
  });
});

it('takes an approval from people only, and never from free text', () => {
  expect(isApproved(answer({ decision: 'approve', by: 'user' }), FROM_PEER)).toBe(true);
  expect(isApproved(answer({ decision: 'approve', by: 'operator' }), FROM_PEER)).toBe(true);
  expect(isApproved(answer({ decision: 'approve' }), FROM_USER)).toBe(true);
  expect(isApproved(answer({ decision: 'approve' }), FROM_PEER)).toBe(false);
  expect(isApproved(answer({ text: 'approve', by: 'user' }), FROM_USER)).toBe(false);
  expect(isApproved(answer({ decision: 'reject', by: 'user' }), FROM_USER)).toBe(false);
  expect(isApproved(undefined, FROM_USER)).toBe(false);
});

it('fences the words of a sender that is an agent', () => {
  expect(textOfAnswer(answer({ text: 'too dear' }), FROM_PEER)).toMatch(/^<peer-text-/);
  expect(textOfAnswer(answer({ text: 'too dear', by: 'user' }), FROM_PEER)).toBe('too dear');
  expect(textOfAnswer(answer({ text: 'too dear' }), FROM_USER)).toBe('too dear');
  expect(textOfAnswer(answer({ decision: 'reject' }), FROM_USER)).toBe('reject');
  expect(textOfAnswer(undefined, FROM_USER)).toBe('');
});

it('says why nothing was asked to the agent, not to the sender', () => {
  const failure = cannotAsk('no_such_thing', { problem: 'The option is wrong.', hint: 'Correct it.' });
  expect(failure.textForSender).not.toContain('option');
  expect(failure.cause).toMatchObject({ message: 'The option is wrong.', hint: 'Correct it.' });
  expect(questionSuperseded().code).toBe('question_superseded');
});
