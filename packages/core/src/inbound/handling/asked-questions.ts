import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  MAX_QUESTIONS,
  Question,
} from '@molecule-ai/protocol';
import { z } from 'zod';
import { ApiError } from '../../errors/api-error.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { deriveUuid } from '../../platform-api/idempotency-key.ts';
import type { StoredAnswer } from '../stores/message-progress.ts';

/** A question in the answer of a handler. */
export interface QuestionToAsk extends Omit<Question, 'id'> {
  /** Used for one message of the agent only. @default derived from the message and the place of the question */
  readonly id?: string | undefined;
}

const Unnamed = Question.strict.partial({ id: true });

/** The questions of an answer; the ids that are given differ. */
export const QuestionsOfAnswer = z
  .array(Unnamed)
  .max(MAX_QUESTIONS)
  .refine((list) => {
    const ids = list.flatMap(({ id }) => id ?? []);
    return new Set(ids).size === ids.length;
  }, 'must have different ids');

/**
 * The answer with an id for each question that has none. They depend on the message, the number of the answer and the place
 * of the question, so that an answer that is sent again asks the same questions.
 */
export function withQuestionIds(answer: StoredAnswer, activityId: string, number: number): StoredAnswer {
  const questions = answer.metadata?.questions;
  if (!Array.isArray(questions)) return answer;
  const named = questions.map((question: JsonValue, index) =>
    isUnnamed(question)
      ? { ...question, id: deriveUuid('question', activityId, String(number), String(index)) }
      : question,
  );
  return { ...answer, metadata: { ...answer.metadata, questions: named } };
}

/** The answer for a platform that does not track questions: their texts follow its own. */
export function withoutQuestions(answer: StoredAnswer): StoredAnswer {
  const { questions, ...metadata } = answer.metadata ?? {};
  const asked = QuestionsOfAnswer.safeParse(questions);
  if (!asked.success) return answer;
  const texts = asked.data.map(({ text }) => text).filter((text) => !answer.text.includes(text));
  const { metadata: _, ...rest } = answer;
  return {
    ...rest,
    text: [answer.text, ...texts].join('\n'),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

/** The error for questions that the platform refused, which it does each time; `null` for other failures to send. */
export function questionsRefused(answer: StoredAnswer, error: unknown): MoleculeError | null {
  const isRefused =
    ApiError.isInstance(error) && error.status === 400 && error.platformCode === 'invalid_request';
  if (!isRefused || !Array.isArray(answer.metadata?.questions)) return null;
  return new MoleculeError('The platform refused the questions of the answer.', {
    code: 'invalid_answer',
    hint: 'See cause. Omit the ids of questions, or use each for one message only.',
    cause: error,
  });
}

/** Metadata is open, so a list under this name may be something else. */
function isUnnamed(question: JsonValue): question is JsonObject {
  return isJsonObject(question) && question.id === undefined && Unnamed.safeParse(question).success;
}
