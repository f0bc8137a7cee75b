import { type Question, type QuestionRecord, routes } from '@molecule-ai/protocol';
import { withTraceHeaders } from '@molecule-ai/telemetry';
import { MoleculeError } from '../errors/molecule-error.ts';
import { call } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';
import { whereOffered } from './offered.ts';

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

export interface ListQuestionsOptions extends CallOptions {
  /** @default every state */
  state?: 'open' | 'answered' | 'closed' | undefined;
  /** Questions per page, 1–200. @default 100 */
  limit?: number | undefined;
  /** Questions to skip, the newest first. @default 0 */
  offset?: number | undefined;
}

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

export function listQuestions(
  transport: Transport,
  workspaceId: string,
  { state, limit, offset, signal }: ListQuestionsOptions,
): Promise<AskedQuestion[]> {
  return whereOffered(transport, QUESTIONS, async () => {
    const input = { params: { id: workspaceId }, query: { state, limit, offset }, signal };
    return (await call(transport, routes.listQuestions, input)).questions.map(toQuestion);
  });
}

export function answerQuestion(
  transport: Transport,
  workspaceId: string,
  questionId: string,
  { decision, text }: QuestionReply,
  { signal }: CallOptions,
): Promise<AskedQuestion> {
  return whereOffered(transport, QUESTIONS, async () => {
    const input = { params: { id: workspaceId, questionId }, body: { decision, text }, signal };
    return toQuestion((await call(transport, routes.answerQuestion, input)).question);
  });
}

/** Stores the questions that the handling of a direct message raised; the same ones again change nothing. */
export function askQuestions(
  transport: Transport,
  workspaceId: string,
  { questions, messageId, sourceId, contextId }: QuestionsToAsk,
  { signal }: CallOptions,
): Promise<AskedQuestion[]> {
  return whereOffered(transport, QUESTIONS, async () => {
    const message = { message_id: messageId, source_id: sourceId, context_id: contextId };
    const body = { questions: [...questions], message };
    const headers = withTraceHeaders({});
    const input = { params: { id: workspaceId }, body, headers, signal };
    return (await call(transport, routes.askQuestions, input)).questions.map(toQuestion);
  });
}

/** @throws MoleculeError `invalid_argument` when an answer of a workspace decides. */
export function requireNoDecision(answers: readonly AnswerToQuestion[] = []): void {
  if (!answers.some((answer: AnswerOfUser) => answer.decision !== undefined)) return;
  throw new MoleculeError('No workspace may decide an approval of another one.', {
    code: 'invalid_argument',
    hint: 'The user of its canvas or an operator decides: operator.answerQuestion. Answer questions of kind text, with a text.',
  });
}

function toQuestion(record: QuestionRecord): AskedQuestion {
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
