import { describe, expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import { type Approvals, answersOf, type PendingQuestion, questionsOf } from './approvals.ts';

const FROM_PEER = { source: 'peer_agent', sourceId: PEER, expectsAnswer: true } as const;
const FROM_USER = { source: 'canvas_user', sourceId: '', expectsAnswer: true } as const;
const ACTION = { action: 'pay', args: { euros: 5, to: 'lab' } };
const PAY: PendingQuestion = { about: ['call-1', ACTION], kind: 'approval', text: ' ', data: ACTION };

function ask(
  pending: readonly PendingQuestion[],
  message: { readonly source: string; readonly expectsAnswer: boolean } = FROM_USER,
  { approvals = 'user', run = 'run-1' }: { approvals?: Approvals; run?: string } = {},
) {
  return questionsOf(pending, message as typeof FROM_USER, { approvals, run });
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return MessageFailure.isInstance(error) ? error.code : String(error);
  }
}

/** The answer to `PAY` of a run. */
function answered(given: object, from: object = FROM_PEER, about: unknown = PAY.about) {
  const [question] = ask([PAY]);
  const answer = { id: question?.id, decision: null, answer: '', text: '', by: 'sender', ...given };
  return answersOf({ ...from, answers: [answer] } as never)?.to(about);
}

it('asks the sender for an approval only where the sender is the user', () => {
  const [question] = ask([PAY]);
  expect(question?.from).toBe('user');
  expect(ask([PAY], FROM_USER, { approvals: 'sender-when-user' })[0]?.from).toBe('sender');
  expect(ask([PAY], FROM_PEER, { approvals: 'sender-when-user' })[0]?.from).toBe('user');
});

it('asks at most 20 questions, and nobody where no answer is expected', () => {
  const many = (count: number) => Array.from({ length: count }, (_none, at) => ({ ...PAY, about: at }));
  expect(new Set(ask(many(20)).map(({ id }) => id)).size).toBe(20);
  expect(codeOf(() => ask(many(21)))).toBe('too_many_questions');
  expect(codeOf(() => ask([PAY], { ...FROM_USER, expectsAnswer: false }))).toBe('nobody_to_ask');
  expect(ask([PAY], FROM_USER, { run: 'x'.repeat(149) })[0]?.id?.length).toBeLessThanOrEqual(200);
  expect(codeOf(() => ask([PAY], FROM_USER, { run: 'x'.repeat(150) }))).toBe('handler_failed');
});

describe('what a person sees of an action', () => {
  it('is the whole action, or the action is refused', () => {
    expect(ask([PAY])[0]?.data).toEqual(ACTION);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    for (const data of ['x'.repeat(32 * 1024), circular, undefined, 5n]) {
      expect(codeOf(() => ask([{ ...PAY, data }]))).toBe('action_too_large');
      expect(ask([{ ...PAY, kind: 'text', data }])[0]).not.toHaveProperty('data');
    }
  });

  it('has a text that is not blank, cut between characters', () => {
    expect(ask([{ ...PAY, otherwise: 'May it?' }])[0]?.text).toBe('May it?');
    expect(ask([PAY])[0]?.text).toBe(JSON.stringify(ACTION));
    expect(ask([{ ...PAY, text: `${'x'.repeat(19_999)}😀` }])[0]?.text).toBe('x'.repeat(19_999));
  });
});

it('takes an approval from people only, and never from free text', () => {
  expect(answered({ decision: 'approve', by: 'user' })?.isApproved).toBe(true);
  expect(answered({ decision: 'approve', by: 'operator' })?.isApproved).toBe(true);
  expect(answered({ decision: 'approve' }, FROM_USER)?.isApproved).toBe(true);
  expect(answered({ decision: 'approve' })?.isApproved).toBe(false);
  expect(answered({ answer: 'approve', by: 'user' }, FROM_USER)?.isApproved).toBe(false);
  expect(answered({ decision: 'reject', by: 'user' }, FROM_USER)?.isApproved).toBe(false);
});

it('takes an answer for exactly what was asked', () => {
  const approval = { decision: 'approve', by: 'user' };
  const same = ['call-1', { args: { to: 'lab', euros: 5 }, action: 'pay' }];
  expect(answered(approval, FROM_PEER, same)?.isApproved).toBe(true);
  const other = ['call-1', { action: 'pay', args: { euros: 6, to: 'lab' } }];
  expect(answered(approval, FROM_PEER, other)).toBeUndefined();
  expect(answersOf({ ...FROM_USER, answers: [] } as never)).toBeNull();
  expect(answered({ ...approval, id: 'of-somebody-else' })).toBeUndefined();
});

it('fences the words of a sender that is an agent', () => {
  expect(answered({ answer: 'too dear' })?.text).toMatch(/^<peer-text-/);
  expect(answered({ answer: 'too dear', by: 'user' })?.text).toBe('too dear');
  expect(answered({ answer: 'too dear' }, FROM_USER)).toMatchObject({ text: 'too dear', hasWords: true });
  expect(answered({ decision: 'reject' }, FROM_USER)).toMatchObject({ text: 'reject', hasWords: false });
});

it('says why nothing was asked to the agent, not to the sender', () => {
  try {
    ask([{ ...PAY, data: undefined }]);
    expect.unreachable();
  } catch (error) {
    const failure = error as MessageFailure;
    expect(failure.textForSender).not.toContain('JSON');
    expect(failure.cause).toMatchObject({ message: expect.stringContaining('32 KiB') });
  }
});
