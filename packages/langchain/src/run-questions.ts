import { type InboundMessage, type JsonValue, MessageFailure, type QuestionToAsk } from '@molecule-ai/core';
import {
  type Approvals,
  approverOf,
  cannotAsk,
  checkQuestions,
  dataOfQuestion,
  isApproved,
  type QuestionAnswer,
  shownWhole,
  textOfAnswer,
  textOfQuestion,
} from '@molecule-ai/core/tools';

const MAX_ROW_LENGTH = 80;
const QUESTION_ID = /^(?<id>[0-9a-f]{32})\.(?<index>\d{1,4})\.(?<thread>[0-9a-f-]*)\./;

/** What a graph waits for. */
export interface PendingInterrupt {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly value: unknown;
  /** Whether it waits before or after a node, as it was compiled: it is resumed without a value. */
  readonly isStep: boolean;
}

/** What the humans decide on, as the human-in-the-loop middleware of LangChain interrupts with it. */
interface ActionsToReview {
  readonly actionRequests: readonly {
    readonly name: string;
    readonly args: unknown;
    readonly description?: string;
  }[];
  readonly reviewConfigs: readonly { readonly allowedDecisions: readonly string[] }[];
}

/** The answers to the questions of one run, and where that run waits for them. */
export interface QuestionAnswers {
  /** What {@link questionsOf} was given as `thread`. */
  readonly thread: string;
  readonly interruptIds: ReadonlySet<string>;
  /** The answers for one interrupt, by the place of their questions. */
  of(interrupt: PendingInterrupt): ReadonlyMap<number, QuestionAnswer>;
}

export interface AskingOptions {
  readonly approvals: Approvals;
  /** Names the thread that waits: at most 80 hexadecimal digits and hyphens. */
  readonly thread: string;
}

/**
 * The questions for what a graph waits for, each with an id that names its interrupt. An interrupt is asked as one question; one of
 * the human-in-the-loop middleware as an approval for each action.
 * @throws MessageFailure when there are more than 20, when nobody can be asked, for what no answer could resume, and `action_too_large`
 * for an action that cannot be shown whole to the person who would approve it.
 */
export function questionsOf(
  interrupts: readonly PendingInterrupt[],
  message: Pick<InboundMessage, 'id' | 'source' | 'expectsAnswer'>,
  { approvals, thread }: AskingOptions,
): QuestionToAsk[] {
  checkQuestions(0, message);
  const approver = approverOf(approvals, message);
  const questions = interrupts.flatMap(({ id, value }) =>
    asked(value, approver).map((question, index) => ({
      ...question,
      id: [id, index, thread, message.id.slice(0, MAX_ROW_LENGTH)].join('.'),
    })),
  );
  checkQuestions(questions.length, message);
  return questions;
}

/** Reads the answers to questions of {@link questionsOf}; `null` for those to other questions, and without any. */
export function answersOf({ answers }: Pick<InboundMessage, 'answers'>): QuestionAnswers | null {
  const byInterrupt = new Map<string, Map<number, QuestionAnswer>>();
  let asking: string | undefined;
  for (const answer of answers) {
    const { id, index, thread = '' } = QUESTION_ID.exec(answer.questionId)?.groups ?? {};
    if (id === undefined) continue;
    asking ??= thread;
    const known = byInterrupt.get(id) ?? new Map<number, QuestionAnswer>();
    byInterrupt.set(id, known.set(Number(index), answer));
  }
  if (asking === undefined) return null;
  return {
    thread: asking,
    interruptIds: new Set(byInterrupt.keys()),
    of: ({ id }) => byInterrupt.get(id) ?? new Map(),
  };
}

/**
 * What an interrupt is resumed with. Free text approves nothing, and neither does a sender that is not the user.
 * @throws MessageFailure when the user rejected what the agent offers no rejection for.
 */
export function resumeValueOf(
  interrupt: PendingInterrupt,
  answers: QuestionAnswers,
  message: Pick<InboundMessage, 'source' | 'sourceId'>,
): JsonValue {
  const given = answers.of(interrupt);
  const { value } = interrupt;
  if (isActionsToReview(value)) {
    const decisions = value.actionRequests.map((_action, index) => {
      const decision = decisionOf(given.get(index), message);
      if (decision.type === 'approve' || allows(value, index, 'reject')) return decision;
      throw new MessageFailure('The action was rejected, and the agent does not continue without it.', {
        code: 'rejected',
      });
    });
    return { decisions };
  }
  const answer = given.get(0);
  if (interrupt.isStep || isApproval(value)) return isApproved(answer, message);
  return textOfAnswer(answer, message);
}

function asked(value: unknown, approver: 'user' | 'sender'): Omit<QuestionToAsk, 'id'>[] {
  if (isActionsToReview(value)) {
    if (!value.actionRequests.every((_action, index) => allows(value, index, 'approve'))) {
      throw cannotAsk('approval_not_allowed', {
        problem: 'An action of humanInTheLoopMiddleware does not allow the decision "approve".',
        hint: 'Have "approve" in its `allowedDecisions`: the person who is asked can approve or reject.',
      });
    }
    return value.actionRequests.map(({ name, args, description }) => ({
      kind: 'approval',
      text: textOfQuestion(description, `May the tool ${name} be run?`),
      data: shownWhole({ action: name, args }),
      from: approver,
    }));
  }
  const isAction = isApproval(value);
  const { from, kind: _kind, ...fields }: Record<string, unknown> = isRecord(value) ? value : { value };
  if (!isAction && from !== undefined && from !== 'user' && from !== 'sender') {
    throw cannotAsk('invalid_interrupt', {
      problem: 'The value of interrupt() has a `from` that is neither "user" nor "sender".',
      hint: 'Ask the "sender" of the message or the "user", who is the default, or give the field another name.',
    });
  }
  const text = ['value', 'text', 'question', 'message', 'prompt']
    .map((name) => fields[name])
    .find((each) => typeof each === 'string' && each.trim() !== '');
  const isEmpty = Object.values(fields).every((each) => each === undefined || each === null || each === '');
  const data = isAction ? shownWhole(value) : dataOfQuestion(value);
  return [
    {
      kind: isAction ? 'approval' : 'text',
      text: textOfQuestion(
        text,
        isEmpty ? 'Continue?' : (JSON.stringify(data) ?? 'The agent waits for an answer.'),
      ),
      ...(typeof value === 'object' && value !== null && data !== undefined ? { data } : {}),
      from: isAction ? approver : from === 'sender' ? from : 'user',
    },
  ];
}

function allows({ reviewConfigs }: ActionsToReview, index: number, decision: string): boolean {
  return reviewConfigs[index]?.allowedDecisions.includes(decision) === true;
}

function decisionOf(
  answer: QuestionAnswer | undefined,
  message: Pick<InboundMessage, 'source' | 'sourceId'>,
): { type: 'approve' } | { type: 'reject'; message?: string } {
  if (isApproved(answer, message)) return { type: 'approve' };
  // Without words, LangChain names the rejected call to the model in its own.
  if (answer === undefined || answer.text.trim() === '') return { type: 'reject' };
  return { type: 'reject', message: textOfAnswer(answer, message) };
}

function isActionsToReview(value: unknown): value is ActionsToReview {
  return Array.isArray(fieldOf(value, 'actionRequests')) && Array.isArray(fieldOf(value, 'reviewConfigs'));
}

function isApproval(value: unknown): boolean {
  return fieldOf(value, 'kind') === 'approval';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
