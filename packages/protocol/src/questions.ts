import * as z from 'zod';
import { columnText } from './field-limits.ts';
import { MessageId } from './ids.ts';
import { JsonValue } from './open-json.ts';
import { type WireType, wire } from './wire.ts';

const QUESTION_KINDS = ['text', 'approval'] as const;
const DECIDERS = ['user', 'sender'] as const;
const DECISIONS = ['approve', 'reject'] as const;

/** The longest text of a question or of its answer, in characters. */
export const MAX_QUESTION_LENGTH = 20_000;

/**
 * One question of an agent that interrupts its work, in `metadata.questions` of an answer. `approval` asks whether an
 * action may be done. `from` says who decides: the `user` of the agent's own canvas, or the `sender` of the message.
 */
export const Question = wire('Question', (w) =>
  w.object({
    id: columnText().min(1).max(200),
    kind: w.either(z.enum(QUESTION_KINDS), z.enum(QUESTION_KINDS)),
    text: z.string().min(1).max(MAX_QUESTION_LENGTH),
    data: JsonValue.optional(),
    from: w.either(z.enum(DECIDERS), z.enum(DECIDERS)),
  }),
);
export type Question = WireType<typeof Question>;

/** At most so many questions in one answer, and so many open ones of one message. */
export const MAX_QUESTIONS = 20;

/**
 * What somebody answered to one question, in `metadata.answers` of a message. `question`, the text of the question, its `kind` and
 * `data`, and `by` are written by the platform only.
 */
export const QuestionAnswer = wire('QuestionAnswer', (w) =>
  w.object({
    question_id: columnText().min(1).max(200),
    decision: w.maybe(w.oneOf(DECISIONS)),
    text: w.maybe(z.string()),
    question: w.maybe(z.string()),
    kind: w.maybe(w.oneOf(QUESTION_KINDS)),
    data: JsonValue.optional(),
    by: w.maybe(w.oneOf(['user', 'sender', 'operator'])),
  }),
);
export type QuestionAnswer = WireType<typeof QuestionAnswer>;

/** A question as the platform keeps it. `workspace_id` is the agent that asks. */
export const QuestionRecord = wire('QuestionRecord', (w) =>
  w.object({
    id: z.string().min(1),
    activity_id: w.id(),
    message_id: z.string(),
    context_id: z.string(),
    conversation_id: z.string(),
    workspace_id: w.id(),
    kind: w.oneOf(QUESTION_KINDS),
    text: z.string(),
    data: JsonValue.optional(),
    from: w.oneOf(DECIDERS),
    state: w.oneOf(['open', 'answered', 'closed']),
    decision: w.orNull(w.oneOf(DECISIONS)),
    answer: w.orNull(z.string()),
    answered_by: w.orNull(w.oneOf(['user', 'sender', 'operator'])),
    created_at: w.timestamp(),
    answered_at: w.orNull(w.timestamp()),
  }),
);
export type QuestionRecord = WireType<typeof QuestionRecord>;

/**
 * Query of `GET /workspaces/:id/questions`; without `state`, all of them, newest first. `limit` 1–200 (100), `offset` from 0;
 * both decimal text.
 */
export const ListQuestionsQuery = wire('ListQuestionsQuery', (w) =>
  w.object({
    state: w.maybe(w.oneOf(['open', 'answered', 'closed'])),
    limit: w.maybe(z.string()),
    offset: w.maybe(z.string()),
  }),
);
export type ListQuestionsQuery = WireType<typeof ListQuestionsQuery>;

/** Response of `GET /workspaces/:id/questions`. */
export const QuestionListResponse = wire('QuestionListResponse', (w) =>
  w.object({ questions: z.array(w.use(QuestionRecord)), has_more: w.promised(z.boolean()) }),
);
export type QuestionListResponse = WireType<typeof QuestionListResponse>;

/** Response of `POST /workspaces/:id/questions`: the stored questions, in the order in which they were asked. */
export const AskQuestionsResponse = wire('AskQuestionsResponse', (w) =>
  w.object({ questions: z.array(w.use(QuestionRecord)) }),
);
export type AskQuestionsResponse = WireType<typeof AskQuestionsResponse>;

/** Body of `POST /workspaces/:id/questions`: questions that a direct message raised. Idempotent by question id. */
export const AskQuestionsRequest = wire('AskQuestionsRequest', (w) =>
  w.object({
    questions: z.array(w.use(Question)).min(1).max(MAX_QUESTIONS),
    message: w.object({ message_id: MessageId, source_id: w.id(), context_id: columnText() }),
  }),
);
export type AskQuestionsRequest = WireType<typeof AskQuestionsRequest>;

/** Body of `POST /workspaces/:id/questions/:questionId/answer`: `decision` for an approval, `text` for a text. */
export const AnswerQuestionRequest = wire('AnswerQuestionRequest', (w) =>
  w.object({
    decision: w.maybe(w.either(z.enum(DECISIONS), z.enum(DECISIONS))),
    text: w.maybe(z.string().max(MAX_QUESTION_LENGTH)),
  }),
);
export type AnswerQuestionRequest = WireType<typeof AnswerQuestionRequest>;

export const AnswerQuestionResponse = wire('AnswerQuestionResponse', (w) =>
  w.object({ status: w.oneOf(['answered']), question: w.use(QuestionRecord) }),
);
export type AnswerQuestionResponse = WireType<typeof AnswerQuestionResponse>;
