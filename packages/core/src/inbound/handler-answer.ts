import {
  describeProblems,
  fieldProblems,
  isJsonObject,
  JsonObject,
  type JsonValue,
  MAX_QUESTIONS,
  MessagePart,
  Question,
  z,
} from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { type MessageFailure, type MessageFailureOptions, OPTION_NAMES } from '../errors/message-failure.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import { knownOptions, type OptionsProblem, unknownOptions } from '../settings/known-options.ts';
import { orAborted } from '../time/linked-abort.ts';
import type { StoredAnswer } from './life.ts';
import { type AttemptText, answerTooLarge, MAX_ANSWER_LENGTH } from './streams/answer-stream.ts';

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

/** An answer with more than a text. */
export interface AnswerContent {
  /** May be blank when there are parts or questions. */
  readonly text: string;
  /** Parts after the text: files and structured data. */
  readonly parts?: readonly MessagePart[] | undefined;
  /** Open data of the answer. */
  readonly metadata?: JsonObject | undefined;
  /**
   * What the agent has to know before it can continue, at most 20. The message stays open; when all are answered, the
   * handler gets a message with `answers`, whose answer is that of this message. An id that the agent used for another
   * message ends this one as failed, `invalid_answer`: omit it where nothing depends on it. A platform without the capability `questions` passes them on in the metadata of the answer.
   */
  readonly questions?: readonly QuestionToAsk[] | undefined;
}

/**
 * What a handler returns: the answer, or nothing. A blank text is nothing. The texts of an iterable are streamed, as those of
 * `context.stream`. After what was streamed, a text that begins with it is the whole answer; any other is added at its end.
 */
export type HandlerAnswer =
  | string
  | AnswerContent
  | AsyncIterable<string>
  | null
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a handler as well
  | void;

const Content = z.object({
  text: z.string(),
  parts: z.array(MessagePart.strict).optional(),
  metadata: JsonObject.optional(),
  questions: QuestionsOfAnswer.optional(),
});

const KEYS = knownOptions<AnswerContent>(Content.shape);
const FAILURE_OPTIONS = knownOptions<MessageFailureOptions>({ code: true, cause: true });
/** Another key may be part of what somebody wrote, and is not logged. */
const LOGGED_KEY = /^[\w$-]{1,40}$/;

/** What a handler returned, read: an answer, `null` for none, or why it is not one. `ignored`: keys that are not sent. */
export type ReadAnswer =
  | {
      readonly kind: 'answer';
      readonly answer: StoredAnswer | null;
      readonly ignored?: OptionsProblem | null;
    }
  | { readonly kind: 'invalid'; readonly error: MoleculeError };

/**
 * Reads what a handler returned after it streamed `text`. An iterable is read to its end, no faster than the readers of the
 * text; when `signal` aborts before, it is closed, and the call rejects with the signal's reason. Rejects with what
 * the iterable throws.
 * @param hasReplied whether the handler answered with `context.reply` before: an iterable would be lost
 */
export async function readHandlerAnswer(
  value: unknown,
  text: AttemptText,
  signal: AbortSignal,
  hasReplied = false,
): Promise<ReadAnswer> {
  if (!isAsyncIterable(value)) return readAnswer(value, text.toString());
  if (hasReplied) {
    close(value[Symbol.asyncIterator]());
    return { kind: 'invalid', error: streamedAfterReply() };
  }
  const error = await collect(value, text, signal);
  return error === null ? readAnswer(undefined, text.toString()) : { kind: 'invalid', error };
}

/** Reads an answer that is not an iterable; `streamed` is the beginning of its text. */
export function readAnswer(value: unknown, streamed = ''): ReadAnswer {
  if (value === undefined || value === null) return answerOf({ text: streamed });
  if (typeof value === 'string') return answerOf({ text: continued(streamed, value) });
  if (!isPlainObject(value)) return invalidAnswer(`returned ${nameOf(value)}`);
  if (typeof value.text !== 'string') {
    return invalidAnswer(`returned an object whose text is ${nameOf(value.text)}`);
  }
  const given = withoutUndefined(value);
  const read = Content.safeParse(given);
  if (read.success) {
    const answer = answerOf({ ...read.data, text: continued(streamed, read.data.text) });
    return answer.kind === 'answer' ? { ...answer, ignored: ignoredKeys(given) } : answer;
  }
  const problems = describeProblems(fieldProblems(read.error.issues, given));
  return invalidAnswer(`returned an object with unusable fields (${problems})`);
}

function ignoredKeys(given: Readonly<Record<string, unknown>>): OptionsProblem | null {
  const shown = Object.fromEntries(Object.entries(given).filter(([name]) => LOGGED_KEY.test(name)));
  return unknownOptions('An answer', shown, KEYS, 'key');
}

/** A delta that a handler streams. @throws MoleculeError `invalid_answer`. */
export function checkDelta(delta: unknown): string {
  if (typeof delta === 'string') return delta;
  throw invalidAnswer(`streamed ${nameOf(delta)}`).error;
}

function continued(streamed: string, text: string): string {
  return text.startsWith(streamed) ? text : streamed + text;
}

function answerOf({ text, parts = [], questions = [], metadata }: z.output<typeof Content>): ReadAnswer {
  if (text.length > MAX_ANSWER_LENGTH) return { kind: 'invalid', error: answerTooLarge() };
  const isBlank = text.trim() === '';
  if (isBlank && parts.length === 0 && questions.length === 0) return { kind: 'answer', answer: null };
  const open = { ...metadata, ...(questions.length === 0 ? {} : { questions }) } as JsonObject;
  const answer: StoredAnswer = {
    text: isBlank ? questions.map((question) => question.text).join('\n') : text,
    ...(parts.length === 0 ? {} : { parts }),
    ...(Object.keys(open).length === 0 ? {} : { metadata: open }),
  };
  return { kind: 'answer', answer };
}

/** Streams the texts of an iterable; returns the error when it yields something else, or too much. */
async function collect(
  source: AsyncIterable<unknown>,
  text: AttemptText,
  signal: AbortSignal,
): Promise<MoleculeError | null> {
  let isOver = false;
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orAborted(Promise.resolve(iterator.next()), signal);
      isOver = next.done === true;
      if (next.done === true) return null;
      if (typeof next.value !== 'string') return invalidAnswer(`yielded ${nameOf(next.value)}`).error;
      await text.append(next.value, signal);
    }
  } catch (error) {
    if (text.rejection !== null && error === text.rejection) return text.rejection;
    throw error;
  } finally {
    if (!isOver) close(iterator);
  }
}

/** Does not wait: a generator that is in the middle of something closes when that is over. */
function close(iterator: AsyncIterator<unknown>): void {
  Promise.resolve()
    .then(() => iterator.return?.())
    .catch(() => {});
}

function invalidAnswer(problem: string): { readonly kind: 'invalid'; readonly error: MoleculeError } {
  const error = new MoleculeError(`The handler ${problem}, which is not an answer.`, {
    code: 'invalid_answer',
    hint: 'Return a string, { text, parts?, metadata?, questions? }, an async iterable of strings, or nothing.',
  });
  return { kind: 'invalid', error };
}

function streamedAfterReply(): MoleculeError {
  return new MoleculeError('The handler returned an iterable after context.reply(), which is not sent.', {
    code: 'invalid_answer',
    hint: 'Use either context.reply() or a stream for one message.',
  });
}

/** What a value is, without showing its content: `the number 42`, `an Array`, `a Buffer`. */
function nameOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value === 'number' || typeof value === 'boolean') return `the ${typeof value} ${value}`;
  if (typeof value !== 'object') return `a ${typeof value}`;
  const name = Object.prototype.toString.call(value).slice(8, -1);
  const made: unknown = Reflect.get(value, 'constructor');
  const word = typeof made === 'function' && made.name !== '' ? made.name : name;
  return `${/^[aeiou]/i.test(word) ? 'an' : 'a'} ${word}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === null || Object.getPrototypeOf(proto) === null;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

function withoutUndefined(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined));
}

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

/** The options of a failure that it does not have; `null` when there are none. */
export function ignoredOptionsOf(failure: MessageFailure): OptionsProblem | null {
  const names: unknown = Reflect.get(failure, OPTION_NAMES);
  if (!Array.isArray(names)) return null;
  return unknownOptions(
    'MessageFailure',
    Object.fromEntries(names.map((name) => [name, true])),
    FAILURE_OPTIONS,
  );
}

const MAX_LOGGED = 100;
const loggedBy = new WeakMap<Logger, Set<string>>();

/**
 * Logs that a handler gave something under a key that does not exist. The rest is right, so it is sent. Once for each logger, because the same
 * comes with every message.
 */
export function logIgnored(
  logger: Logger,
  { id }: { readonly id: string },
  ignored: OptionsProblem | null | undefined,
): void {
  if (!ignored) return;
  const { problem, hint } = ignored;
  const logged = loggedBy.get(logger) ?? new Set();
  loggedBy.set(logger, logged);
  if (logged.has(problem) || logged.size >= MAX_LOGGED) return;
  logged.add(problem);
  logger.warn({ activityId: id, hint }, `${problem} It is ignored.`);
}
