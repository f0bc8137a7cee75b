import {
  dataPart,
  describeProblems,
  fieldProblems,
  type InboundMessage,
  JsonObject,
  JsonValue,
  MAX_QUESTIONS,
  MessagePart,
  Question,
  z,
} from '@molecule-ai/protocol';
import { type CurrentMessage, deadlinePassed, runHandling } from '../client/current-message.ts';
import { TimeoutError } from '../errors/connection-error.ts';
import { type MessageFailure, type MessageFailureOptions, OPTION_NAMES } from '../errors/message-failure.ts';
import { ConfigurationError, invalidArgument, MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { type OptionsProblem, unknownKeys } from '../settings/options.ts';
import type { Timer } from '../time/clock.ts';
import { orAborted } from '../time/linked-abort.ts';
import type { AttemptContext } from './handler.ts';
import type { InboundOptions } from './inbound-options.ts';
import { isExpiredForReply, type StoredAnswer } from './life.ts';
import { type AttemptText, answerTooLarge, MAX_ANSWER_LENGTH } from './streams/answer-stream.ts';

/** How long a handler may keep running after its signal was aborted. */
const GRACE_MS = 5_000;
const MAX_PROGRESS_LENGTH = 200;
const EITHER = 'Use either context.reply() or context.stream() for one message.';
/** A timer cannot be longer; no handler is. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A question of an answer; its id may be missing. */
export const UnnamedQuestion = Question.strict.partial({ id: true });

/** The questions of an answer; the ids that are given differ. */
export const QuestionsOfAnswer = z
  .array(UnnamedQuestion)
  .max(MAX_QUESTIONS)
  .refine((list) => {
    const ids = list.flatMap(({ id }) => id ?? []);
    return new Set(ids).size === ids.length;
  }, 'must have different ids');

const Content = z.object({
  text: z.string().default(''),
  data: JsonValue.optional(),
  parts: z.array(MessagePart.strict).optional(),
  metadata: JsonObject.optional(),
  questions: QuestionsOfAnswer.optional(),
});

/** Of an agent that asks without a handler for the answers. */
export const NO_ANSWER_HANDLER = [
  'The agent asks a question, and nothing handles the answer.',
  {
    hint: 'Pass onAnswer to createRemoteAgent; if you wrap the handler of an adapter, pass its onAnswer on.',
  },
] as const;

const FAILURE_OPTIONS: readonly (keyof MessageFailureOptions)[] = ['code', 'cause'];
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
 * How an attempt ended. `aborted`: its signal aborted before it ended, so the work may be half done, and what it
 * returned or threw does not count; `isStuck`: it did not end in the grace period.
 */
export type AttemptResult =
  | { readonly kind: 'returned'; readonly value: ReadAnswer }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'aborted'; readonly error: unknown; readonly isStuck: boolean };

/** What was done for a message in all attempts, so that none repeats it. */
export interface AttemptJournal {
  /** Whether the handler called `context.reply`, in this attempt or an earlier one. */
  readonly hasReplied: boolean;
  /** Returns a function that sends the answers of one attempt in order, skipping those that an earlier attempt sent. */
  replier(): (answer: StoredAnswer, signal: AbortSignal) => Promise<void>;
  once(key: string, effect: () => unknown, signal: AbortSignal): Promise<unknown>;
}

/** What is handled. */
export interface Handled {
  readonly message: InboundMessage;
  /** What the handler finds as the message that it handles. */
  readonly current: CurrentMessage;
  readonly text: AttemptText;
  readonly journal: AttemptJournal;
  /** When the sender of the message no longer waits, as Unix time in milliseconds; `null` for no limit. */
  readonly deadlineMs: number | null;
}

/** One call of a handler. */
export class Attempt {
  /** Whether the platform had let the message expire before a reply. */
  hasExpired = false;
  readonly #options: InboundOptions;
  readonly #handled: Handled;
  readonly #abort = new AbortController();
  readonly #timers: Timer[] = [];
  readonly #result = Promise.withResolvers<AttemptResult>();
  #isOver = false;

  constructor(options: InboundOptions, handled: Handled) {
    this.#options = options;
    this.#handled = handled;
  }

  /** The handler has five seconds to end; then the attempt ends without it. Has no effect after the end. */
  abort(reason: unknown): void {
    if (this.#isOver || this.#abort.signal.aborted) return;
    this.#abort.abort(reason);
    const stuck = (): void => this.#end({ kind: 'aborted', error: reason, isStuck: true });
    // Later than whoever aborts begins to wait for the same time.
    queueMicrotask(() => {
      if (!this.#isOver) this.#timers.push(this.#options.clock.setTimer(GRACE_MS, stuck));
    });
  }

  /** Never rejects. */
  run(): Promise<AttemptResult> {
    const { clock, handlerTimeoutMs: timeoutMs } = this.#options;
    const { deadlineMs } = this.#handled;
    if (timeoutMs !== null) {
      const timedOut = () => new TimeoutError(`The handler took longer than ${timeoutMs} ms.`, { timeoutMs });
      this.#timers.push(clock.setTimer(timeoutMs, () => this.abort(timedOut())));
    }
    const leftMs = deadlineMs === null ? LONGEST_TIMER_MS : deadlineMs - clock.now();
    if (leftMs < LONGEST_TIMER_MS) {
      this.#timers.push(clock.setTimer(leftMs, () => this.abort(deadlinePassed())));
    }
    void this.#call();
    return this.#result.promise;
  }

  #end(result: AttemptResult): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    this.#result.resolve(result);
  }

  async #call(): Promise<void> {
    const { signal } = this.#abort;
    const result = await runHandling(this.#handled.current, signal, () => this.#resultOfHandler());
    this.#end(signal.aborted ? { kind: 'aborted', error: signal.reason, isStuck: false } : result);
  }

  async #resultOfHandler(): Promise<AttemptResult> {
    const context = this.#context();
    try {
      const { message, text, journal } = this.#handled;
      const returned: unknown = await this.#options.handler(message, context);
      if (returned === undefined && message.expectsAnswer && !journal.hasReplied && text.length === 0) {
        const hint = 'Return null to mean it, or an answer.';
        warnOnce(
          this.#options.logger,
          message,
          'The handler answers nothing: its sender waits no longer.',
          hint,
        );
      }
      const read = this.#read(returned);
      return { kind: 'returned', value: read instanceof Promise ? await read : read };
    } catch (error) {
      return { kind: 'threw', error };
    }
  }

  #context(): AttemptContext {
    const { message, current, text, journal } = this.#handled;
    const { observer, logger } = this.#options;
    const { signal } = this.#abort;
    const replier = journal.replier();
    let { hasReplied } = journal;
    return {
      signal,
      attempt: current.attempt,
      reply: async (content) => {
        signal.throwIfAborted();
        const read = this.#checked(readAnswer(content));
        if (read.kind === 'invalid') throw read.error;
        logIgnored(logger, message, read.ignored);
        if (read.answer === null) throw invalidArgument('The text of a reply must not be blank.');
        if (text.length > 0) {
          throw defect(
            'The answer to this message is being streamed.',
            'Stream the rest of it, or return it.',
          );
        }
        hasReplied = true;
        // What the handler returns after it is not sent.
        text.hide();
        await replier(read.answer, signal).catch((error: unknown) => {
          if (isExpiredForReply(error)) this.hasExpired = true;
          throw error;
        });
      },
      stream: async (delta) => {
        const checked = checkDelta(delta);
        if (hasReplied) throw defect('The message was answered with context.reply() before.', EITHER);
        await text.append(checked, signal);
      },
      progress: (line) => {
        if (signal.aborted) return;
        observer.progressed(message, String(line).replace(/\s+/g, ' ').trim().slice(0, MAX_PROGRESS_LENGTH));
      },
      once: async <T>(key: string, effect: () => T | Promise<T>) =>
        (await journal.once(key, effect, signal)) as T,
    };
  }

  /**
   * Reads what the handler returned after what it streamed. An iterable is read to its end, no faster than the readers of the
   * text; when the signal aborts before, it is closed, and the call rejects with the signal's reason. Rejects with what
   * the iterable throws.
   */
  #read(value: unknown): ReadAnswer | Promise<ReadAnswer> {
    const { text, journal } = this.#handled;
    if (!isAsyncIterable(value)) return this.#checked(readAnswer(value, text.toString()));
    if (!journal.hasReplied) return readTexts(value, text, this.#abort.signal);
    // It would be lost.
    close(value[Symbol.asyncIterator]());
    const problem = 'The handler returned an iterable after context.reply(), which is not sent.';
    return {
      kind: 'invalid',
      error: defect(problem, 'Use either context.reply() or a stream for one message.'),
    };
  }

  #checked(read: ReadAnswer): ReadAnswer {
    const asks = read.kind === 'answer' && Array.isArray(read.answer?.metadata?.questions);
    if (!asks || this.#options.mayAsk()) return read;
    return { kind: 'invalid', error: new ConfigurationError(...NO_ANSWER_HANDLER) };
  }
}

/** Reads an answer that is not an iterable; `streamed` is the beginning of its text. */
export function readAnswer(value: unknown, streamed = ''): ReadAnswer {
  if (value === undefined || value === null) return answerOf({ text: streamed });
  if (typeof value === 'string') return answerOf({ text: continued(streamed, value) });
  if (!isPlainObject(value)) return invalidAnswer(`returned ${nameOf(value)}`);
  const given = withoutUndefined(value);
  const needsText = [given.data, given.parts, given.questions].every((each) => each === undefined);
  if (given.text === undefined ? needsText : typeof given.text !== 'string') {
    const ignored = ignoredKeys(given);
    const typo = ignored === null ? undefined : `${ignored.problem} ${ignored.hint ?? ''}`;
    return invalidAnswer(`returned an object whose text is ${nameOf(value.text)}`, typo);
  }
  const read = Content.safeParse(given);
  if (read.success) {
    const answer = answerOf({ ...read.data, text: continued(streamed, read.data.text) });
    return answer.kind === 'answer' ? { ...answer, ignored: ignoredKeys(given) } : answer;
  }
  const problems = describeProblems(fieldProblems(read.error.issues, given));
  return invalidAnswer(`returned an object with unusable fields (${problems})`);
}

function ignoredKeys(given: Readonly<Record<string, unknown>>): OptionsProblem | null {
  const shown = Object.keys(given).filter((name) => LOGGED_KEY.test(name));
  return unknownKeys('An answer', shown, Object.keys(Content.shape), 'key');
}

/** A delta that a handler streams. @throws MoleculeError `invalid_answer`. */
export function checkDelta(delta: unknown): string {
  if (typeof delta === 'string') return delta;
  throw invalidAnswer(`streamed ${nameOf(delta)}`).error;
}

function continued(streamed: string, text: string): string {
  return text.startsWith(streamed) ? text : streamed + text;
}

function answerOf({
  text,
  data,
  parts: others = [],
  questions = [],
  metadata,
}: z.output<typeof Content>): ReadAnswer {
  const parts = data === undefined ? others : [dataPart(data), ...others];
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

/** Streams the texts of an iterable, which together are the answer; it is invalid when it yields something else, or too much. */
async function readTexts(
  source: AsyncIterable<unknown>,
  text: AttemptText,
  signal: AbortSignal,
): Promise<ReadAnswer> {
  let isOver = false;
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orAborted(Promise.resolve(iterator.next()), signal);
      isOver = next.done === true;
      if (next.done === true) return readAnswer(undefined, text.toString());
      if (typeof next.value !== 'string') return invalidAnswer(`yielded ${nameOf(next.value)}`);
      await text.append(next.value, signal);
    }
  } catch (error) {
    if (text.rejection !== null && error === text.rejection) {
      return { kind: 'invalid', error: text.rejection };
    }
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

const ANSWERS =
  'a string, { text, data?, parts?, metadata?, questions? }, an async iterable of strings, or nothing';

function invalidAnswer(
  problem: string,
  hint = `Return ${ANSWERS}.`,
): { readonly kind: 'invalid'; readonly error: MoleculeError } {
  const error = defect(`The handler ${problem}, which is not an answer.`, hint);
  return { kind: 'invalid', error };
}

/** A defect of the handler, which another attempt does not repair. */
function defect(message: string, hint: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_answer', hint });
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

/** The options of a failure that it does not have; `null` when there are none. */
export function ignoredOptionsOf(failure: MessageFailure): OptionsProblem | null {
  const names: unknown = Reflect.get(failure, OPTION_NAMES);
  return Array.isArray(names) ? unknownKeys('MessageFailure', names, FAILURE_OPTIONS) : null;
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
  if (ignored) warnOnce(logger, { id }, `${ignored.problem} It is ignored.`, ignored.hint);
}

function warnOnce(
  logger: Logger,
  { id }: { readonly id: string },
  problem: string,
  hint: string | undefined,
): void {
  const logged = loggedBy.get(logger) ?? new Set();
  loggedBy.set(logger, logged);
  if (logged.has(problem) || logged.size >= MAX_LOGGED) return;
  logged.add(problem);
  logger.warn({ activityId: id, hint }, problem);
}
