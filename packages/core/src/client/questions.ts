import type { Question, QuestionRecord } from '@molecule-ai/protocol';
import { invalidArgument } from '../errors/molecule-error.ts';
import { given, type OptionsOf, word } from '../settings/options.ts';
import { CallShape } from '../transport/platform-request.ts';

export const QUESTIONS = {
  word: 'questions',
  problem: 'The platform does not track the questions of agents.',
  hint: 'Send the answer as an ordinary message of the conversation.',
} as const;

/** A question of an agent. Times are RFC 3339. Text and data are the agent's: show them as text. */
export interface AskedQuestion {
  readonly id: string;
  /** The message in whose handling it was asked. */
  readonly messageId: string;
  readonly activityId: string;
  readonly contextId: string;
  readonly conversationId: string;
  /** The workspace whose agent asks. */
  readonly workspaceId: string;
  /** Treat unknown words as `text`. */
  readonly kind: string;
  readonly text: string;
  /** `undefined` without any. */
  readonly data: unknown;
  /** Who answers: the `user` of the agent's canvas, or the `sender` of the message. */
  readonly from: string;
  /** `open`, `answered` or `closed`. */
  readonly state: string;
  readonly decision: string | null;
  readonly answer: string | null;
  readonly answeredBy: string | null;
  readonly createdAt: string;
  readonly answeredAt: string | null;
}

export class ListQuestionsShape extends CallShape {
  /** @default every state */
  state = word(['open', 'answered', 'closed'], undefined);
  /** Questions per page, 1–200. @default 100 */
  limit = given<number>();
  /** Questions to skip, the newest first. @default 0 */
  offset = given<number>();
}

export interface ListQuestionsOptions extends OptionsOf<ListQuestionsShape> {}

/** A decision for an approval, with a text maybe; a text for everything else. */
export interface QuestionReply {
  decision?: 'approve' | 'reject' | undefined;
  /** At most 20 000 characters. */
  text?: string | undefined;
}

/** An answer to a question of kind `text` that goes with a message of a workspace. No workspace decides an approval. */
export interface AnswerToQuestion {
  questionId: string;
  /** At most 20 000 characters. */
  text?: string | undefined;
}

/** An answer that goes with a message of the user. */
export interface AnswerOfUser extends QuestionReply {
  questionId: string;
}

/** Questions, and the message that raised them. */
export interface QuestionsToAsk {
  readonly questions: readonly Question[];
  readonly messageId: string;
  readonly sourceId: string;
  readonly contextId: string;
}

/** @throws MoleculeError `invalid_argument` when an answer of a workspace decides. */
export function requireNoDecision(answers: readonly AnswerToQuestion[] = []): void {
  if (!answers.some((answer: AnswerOfUser) => answer.decision !== undefined)) return;
  const hint =
    'The user of its canvas or an operator decides: operator.answerQuestion. Answer questions of kind text, with a text.';
  throw invalidArgument('No workspace may decide an approval of another one.', hint);
}

/** Reads a question of the platform. */
export function toQuestion(record: QuestionRecord): AskedQuestion {
  return {
    id: record.id,
    messageId: record.message_id,
    activityId: record.activity_id,
    contextId: record.context_id,
    conversationId: record.conversation_id,
    workspaceId: record.workspace_id,
    kind: record.kind,
    text: record.text,
    data: record.data,
    from: record.from,
    state: record.state,
    decision: record.decision,
    answer: record.answer,
    answeredBy: record.answered_by,
    createdAt: record.created_at,
    answeredAt: record.answered_at,
  };
}
