import { type InboundMessage, type JsonValue, MessageFailure, type QuestionToAsk } from '@molecule-ai/core';
import { fenceRepeatably } from '@molecule-ai/core/tools';

const MAX_QUESTIONS = 20;
const MAX_TEXT_LENGTH = 20_000;
const MAX_DATA_LENGTH = 64 * 1024;
const MAX_ROW_LENGTH = 80;
const QUESTION_ID = /^(?<id>[0-9a-f]{32})\.(?<index>\d{1,4})\.(?<thread>[0-9a-f-]*)\./;

/** Who decides whether an action may be done. */
export type Approvals = 'user' | 'sender-when-user';

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
  of(interrupt: PendingInterrupt): ReadonlyMap<number, Answer>;
}

type Answer = InboundMessage['answers'][number];

export interface AskingOptions {
  readonly approvals: Approvals;
  /** Names the thread that waits: at most 80 hexadecimal digits and hyphens. */
  readonly thread: string;
}

/**
 * The questions for what a graph waits for, each with an id that names its interrupt. An interrupt is asked as one question; one of
 * the human-in-the-loop middleware as an approval for each action.
 * @throws MessageFailure when there are more than 20.
 */
export function questionsOf(
  interrupts: readonly PendingInterrupt[],
  message: Pick<InboundMessage, 'id' | 'source'>,
  { approvals, thread }: AskingOptions,
): QuestionToAsk[] {
  const approver = approvals === 'sender-when-user' && message.source === 'canvas_user' ? 'sender' : 'user';
  const questions = interrupts.flatMap(({ id, value }) =>
    asked(value, approver).map((question, index) => ({
      ...question,
      id: [id, index, thread, message.id.slice(0, MAX_ROW_LENGTH)].join('.'),
    })),
  );
  if (questions.length <= MAX_QUESTIONS) return questions;
  throw new MessageFailure('The agent asked more questions at once than a message can have.', {
    code: 'too_many_questions',
  });
}

/** Reads the answers to questions of {@link questionsOf}; `null` for those to other questions, and without any. */
export function answersOf({ answers }: Pick<InboundMessage, 'answers'>): QuestionAnswers | null {
  const byInterrupt = new Map<string, Map<number, Answer>>();
  let asking: string | undefined;
  for (const answer of answers) {
    const { id, index, thread = '' } = QUESTION_ID.exec(answer.questionId)?.groups ?? {};
    if (id === undefined) continue;
    asking ??= thread;
    const known = byInterrupt.get(id) ?? new Map<number, Answer>();
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
    const { actionRequests, reviewConfigs } = value;
    const decisions = actionRequests.map((_action, index) =>
      decisionOf(given.get(index), reviewConfigs[index]?.allowedDecisions ?? [], message),
    );
    return { decisions };
  }
  const answer = given.get(0);
  if (interrupt.isStep || isApproval(value)) return isApproved(answer, message);
  return textOf(answer, message);
}

function asked(value: unknown, approver: 'user' | 'sender'): Omit<QuestionToAsk, 'id'>[] {
  if (isActionsToReview(value)) {
    return value.actionRequests.map(({ name, args, description }) => ({
      kind: 'approval',
      text: shortened(description, `May the tool ${name} be run?`),
      data: plain({ action: name, args }),
      from: approver,
    }));
  }
  const isAction = isApproval(value);
  const from = isAction ? approver : fieldOf(value, 'from') === 'sender' ? 'sender' : 'user';
  const said = ['text', 'question', 'message', 'prompt'].map((name) => fieldOf(value, name));
  const text = typeof value === 'string' ? value : said.find((each) => typeof each === 'string');
  return [
    {
      kind: isAction ? 'approval' : 'text',
      text: shortened(text, JSON.stringify(plain(value)) ?? 'The agent waits.'),
      ...(typeof value === 'object' && value !== null ? { data: plain(value) } : {}),
      from,
    },
  ];
}

function decisionOf(
  answer: Answer | undefined,
  allowed: readonly string[],
  message: Pick<InboundMessage, 'source' | 'sourceId'>,
): JsonValue {
  const type = isApproved(answer, message) ? 'approve' : 'reject';
  if (!allowed.includes(type)) {
    throw new MessageFailure(`The agent cannot continue: its action does not allow to ${type} it.`, {
      code: type === 'approve' ? 'approval_not_allowed' : 'rejected',
    });
  }
  if (type === 'approve') return { type };
  const words = textOf(answer, message);
  return words === '' ? { type } : { type, message: words };
}

function isApproved(answer: Answer | undefined, { source }: Pick<InboundMessage, 'source'>): boolean {
  const isEntitled = answer?.by === 'user' || answer?.by === 'operator' || source === 'canvas_user';
  return isEntitled && answer?.decision === 'approve';
}

/** The words of an answer; those of a peer in a fence. */
function textOf(
  answer: Answer | undefined,
  { source, sourceId }: Pick<InboundMessage, 'source' | 'sourceId'>,
): string {
  const { text = '', by = 'sender', decision = null } = answer ?? {};
  if (text === '') return decision ?? '';
  return by === 'sender' && source !== 'canvas_user' ? fenceRepeatably(text, { origin: sourceId }) : text;
}

function isActionsToReview(value: unknown): value is ActionsToReview {
  return Array.isArray(fieldOf(value, 'actionRequests')) && Array.isArray(fieldOf(value, 'reviewConfigs'));
}

function isApproval(value: unknown): boolean {
  return fieldOf(value, 'kind') === 'approval';
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function shortened(text: unknown, otherwise: string): string {
  const given = typeof text === 'string' && text.trim() !== '' ? text : otherwise;
  return given.slice(0, MAX_TEXT_LENGTH);
}

/** The value as JSON shows it; `null` when it has no such form, or a very long one. */
function plain(value: unknown): JsonValue {
  try {
    const json = JSON.stringify(value);
    return json === undefined || json.length > MAX_DATA_LENGTH ? null : JSON.parse(json);
  } catch {
    return null;
  }
}
