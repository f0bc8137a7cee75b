import { type InboundMessage, isJsonObject, type JsonObject, type JsonValue } from '@molecule-ai/protocol';
import { deadlineOf, toCurrentMessage, traceOfMessage } from '../client/current-message.ts';
import type { ReplyReceipt } from '../client/reply.ts';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { MessageEnd } from '../inbound-http/inbound-agent.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import { deadLettered, handledNow, handlings, knownCode } from '../telemetry/telemetry.ts';
import {
  Attempt,
  type AttemptJournal,
  type AttemptResult,
  ignoredOptionsOf,
  logIgnored,
  QuestionsOfAnswer,
  UnnamedQuestion,
} from './attempt.ts';
import type { InboundOptions } from './inbound-options.ts';
import type { StoredDeadLetter } from './ledger-lines.ts';
import {
  answerRefusal,
  type Change,
  codeOf,
  type Effect,
  type EndedAs,
  endingFailure,
  type GivenUp,
  isUnsendable,
  type LifeEvent,
  type MessageRecord,
  next,
  replyFailureKind,
  type StoredAnswer,
} from './life.ts';
import type { MessageHome } from './message-home.ts';

/** What a run does beyond its handler: of a message of the agent, or of one that is handled again. */
export type RunHome = Pick<MessageHome, keyof MessageHome>;

export type RunOutcome =
  /** `not_stored`: the request that brought it was refused. `code` says why, where it is no success. */
  | { readonly kind: 'ended'; readonly how: EndedAs | 'not_stored'; readonly code?: string | undefined }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly code: string }
  /** Aborted: the message is unchanged, and the attempt is not counted. */
  | { readonly kind: 'interrupted' };

const RETRY_AFTER_ERROR_MS = 1_000;
const NO_CHANGE: Change = {};

/** Handles one message: does what {@link next} says, until the message has ended or waits. */
export class MessageRun implements AttemptJournal {
  readonly record: MessageRecord;
  readonly message: InboundMessage;
  readonly home: RunHome;
  readonly #options: InboundOptions;
  /** Failures to send the answer: all, and without those while the platform was unavailable. */
  #failures = 0;
  #countedFailures = 0;
  /** The effects of `once` that run, and the last of the replies that are being sent. */
  #running: Map<string, Promise<unknown>> | undefined;
  #lastReply: Promise<void> | undefined;
  /** Why it was aborted. */
  #stop: { readonly reason: unknown } | undefined;
  /** What is to be aborted then: the handler, or the sending of its answer. */
  #current: { abort(reason: unknown): void } | undefined;

  constructor(record: MessageRecord, home: RunHome, options: InboundOptions) {
    this.record = record;
    this.message = record.message;
    this.home = home;
    this.#options = options;
  }

  get hasReplied(): boolean {
    return this.record.progress.repliesSent > 0;
  }

  /** Interrupts the current attempt, which is not counted. A cancellation by the sender, as the reason, finishes the message. */
  abort(reason: unknown): void {
    this.#stop = { reason };
    this.#current?.abort(reason);
  }

  /**
   * Runs as an operation in the trace of the message, of which requests that are made meanwhile, also by the handler, become a part. Never rejects.
   * @param reason see {@link abort}; `undefined` for a run that is not aborted yet
   */
  async run(reason?: unknown): Promise<RunOutcome> {
    this.#stop = reason === undefined ? undefined : { reason };
    const { message } = this;
    const { attempts } = this.record.progress;
    const facts = () => ({
      'messaging.system': 'molecule',
      'messaging.operation.type': 'process',
      'messaging.message.id': message.messageId,
      'messaging.message.conversation_id': message.conversationId,
      'molecule.activity.id': message.id,
      'molecule.source': message.source,
      'molecule.peer.id': message.peerId,
      'molecule.text.length': message.text.length,
      'molecule.attempts_before': attempts,
    });
    const handling = handlings.start('molecule handle', facts, traceOfMessage(message));
    handledNow(1);
    try {
      const outcome = await handling.run(() => this.#run());
      const how = outcome.kind === 'ended' ? outcome.how : outcome.kind;
      const given = outcome.kind === 'interrupted' ? undefined : outcome.code;
      const code = given === undefined ? undefined : knownCode(given);
      handling.end({ 'molecule.outcome': how }, code);
      if (how === 'dead_letter') {
        const { id, messageId } = message;
        deadLettered({ 'molecule.activity.id': id, 'messaging.message.id': messageId, 'error.type': code });
      }
      return outcome;
    } catch (error) {
      handling.end({ 'molecule.outcome': 'retry' }, 'internal_error');
      this.#options.logger.error({ error, activityId: message.id }, 'Handling a message failed.');
      return { kind: 'retry', delayMs: RETRY_AFTER_ERROR_MS, code: 'internal_error' };
    } finally {
      handledNow(-1);
    }
  }

  async #run(): Promise<RunOutcome> {
    const { clock, observer } = this.#options;
    const { isAtMostOnce, isReplay } = this.home;
    const isDirect = this.record.via === 'direct';
    let event: LifeEvent = this.#interruption(false) ?? { kind: 'turn' };
    for (;;) {
      const isWaited = isDirect && this.home.isWaited();
      const treatment = { now: clock.now(), isAtMostOnce, isReplay, isWaited, retry: this.#options.retry };
      const { change = NO_CHANGE, effect } = next(this.record, event, treatment);
      if (change !== NO_CHANGE && effect.kind !== 'handle') await this.home.change(change);
      switch (effect.kind) {
        case 'handle':
          if (!(await this.home.begin(change, this.#abortable())))
            return { kind: 'ended', how: 'not_stored' };
          event = this.#interruption(!isAtMostOnce) ?? (await this.#handle());
          break;
        case 'send':
          if (effect.answer.end === undefined) await this.home.flush();
          event = await this.#sendAnswer(effect.answer);
          break;
        case 'retry': {
          const { stage, attempt, delayMs, error } = effect;
          if (effect.waits && !this.home.answerWaits()) {
            event = { kind: 'no-room', error, failures: this.#failures };
            break;
          }
          observer.retrying(this.message, { stage, attempt, delayMs, error });
          return { kind: 'retry', delayMs, code: codeOf(stage, error) };
        }
        case 'stop':
          this.home.stream.interrupt();
          return { kind: 'interrupted' };
        case 'end':
          return this.#end(effect);
      }
    }
  }

  /** What the abort of this run is for the message; `null` when it was not aborted. */
  #interruption(isHandling: boolean): LifeEvent | null {
    if (this.#stop === undefined) return null;
    const { reason } = this.#stop;
    if (hasCode(reason, 'cancelled_by_sender')) return { kind: 'canceled' };
    return { kind: 'stopped', reason, isHandling };
  }

  /** The signal of what is done now. */
  #abortable(): AbortSignal {
    const controller = new AbortController();
    this.#current = controller;
    if (this.#stop !== undefined) controller.abort(this.#stop.reason);
    return controller.signal;
  }

  /** Runs the handler once. */
  async #handle(): Promise<LifeEvent> {
    const { client, observer, clock, logger } = this.#options;
    const { message } = this;
    const { stream, isReplay } = this.home;
    const { attempts, hasStreamed } = this.record.progress;
    observer.started(message);
    // Readers get no text that is not sent in the end, nor that of another attempt than the first one that they got.
    const refusal = answerRefusal(this.record);
    const isShown = refusal === null && !this.hasReplied && hasStreamed !== true;
    const text = stream.begin({
      isShown,
      isRequest: this.record.via === 'feed',
      onFirst: async () => this.home.change({ hasStreamed: true }),
    });
    const attempt = new Attempt(this.#options, {
      message,
      current: toCurrentMessage(message, { workspaceId: client.workspaceId, attempt: attempts }),
      text,
      journal: this,
      // A dead letter that is handled again has ended for its sender long ago.
      deadlineMs: isReplay ? null : deadlineOf(message.metadata),
    });
    this.#current = attempt;
    const result = await attempt.run();
    const isOverdue = result.kind === 'aborted' && hasCode(result.error, 'message_expired');
    if (result.kind === 'returned' && result.value.kind === 'answer') text.complete();
    else {
      if (this.#stop === undefined && !isOverdue) await stream.drain(text, clock, this.#abortable());
      text.discard();
    }
    if (result.kind === 'aborted' && result.isStuck) observer.stuck(message);

    const interrupted = this.#interruptionOf(result, isOverdue, attempt.hasExpired);
    if (interrupted !== null) {
      observer.ended(message, 'interrupted');
      return interrupted;
    }
    if (result.kind === 'returned') {
      const read = result.value;
      if (read.kind === 'invalid') {
        observer.ended(message, { error: read.error, failure: null });
        return read;
      }
      logIgnored(logger, message, read.ignored);
      observer.ended(message, 'succeeded');
      if (refusal !== null && read.answer !== null && !this.hasReplied) {
        logger.info({ activityId: message.id }, refusal);
      }
      return { kind: 'returned', answer: read.answer };
    }
    const { error } = result;
    const isThrown = result.kind === 'threw';
    const failure = isThrown ? endingFailure(error) : null;
    if (failure !== null) logIgnored(logger, message, ignoredOptionsOf(failure));
    observer.ended(message, { error, failure });
    const isShownOrTooLong = text.hasLeft || (text.rejection !== null && error === text.rejection);
    return { kind: 'failed', error, isThrown, isShown: isShownOrTooLong };
  }

  /** What ended an attempt so that its result does not count; `null` when it does. */
  #interruptionOf({ kind }: AttemptResult, isOverdue: boolean, hasExpired: boolean): LifeEvent | null {
    const interruption = this.#interruption(true);
    if (interruption?.kind === 'canceled') return interruption;
    if (isOverdue) return { kind: 'expired', isReported: false };
    if (kind === 'returned') return null;
    return interruption ?? (hasExpired ? { kind: 'expired', isReported: true } : null);
  }

  /** Failures do not run the handler again. */
  async #sendAnswer(answer: StoredAnswer): Promise<LifeEvent> {
    try {
      const { status } = await this.#send(answer, this.#abortable());
      return { kind: 'sent', isIgnored: status === 'ignored' };
    } catch (error) {
      const interruption = this.#interruption(false);
      if (interruption !== null) return interruption;
      this.#failures += 1;
      if (replyFailureKind(error, this.record.via) === 'counts') this.#countedFailures += 1;
      return { kind: 'unsent', error, failures: this.#failures, counted: this.#countedFailures };
    }
  }

  /** Sends an answer. Its key is derived from message and number, so a repeat is not a second answer. */
  async #send(answer: StoredAnswer, signal: AbortSignal, number = 0): Promise<ReplyReceipt> {
    const { client, observer } = this.#options;
    const key = number === 0 ? {} : { idempotencyKey: `reply-${number + 1}` };
    const { end, ...sent } = client.capabilities.has('questions')
      ? withQuestionIds(answer, this.message.id, number)
      : withoutQuestions(answer);
    const isPlain = sent.parts === undefined && sent.metadata === undefined;
    const options = { ...key, ...(end === undefined ? {} : { end }), signal };
    try {
      const receipt = await this.home.send(isPlain ? sent.text : sent, options);
      if (receipt.status !== 'ignored') observer.replySent(this.message);
      return receipt;
    } catch (error) {
      throw questionsRefused(answer, error) ?? error;
    }
  }

  #end(effect: Extract<Effect, { kind: 'end' }>): RunOutcome | Promise<RunOutcome> {
    const { end, how, isReported, givenUp } = effect;
    const { observer } = this.#options;
    const { message } = this;
    const code = end.error?.code ?? (how === 'expired' ? 'message_expired' : undefined);
    const outcome = { kind: 'ended', how, code } as const;
    if (givenUp !== undefined) return this.#giveUp(effect, givenUp).then(() => outcome);
    if (how === 'canceled') observer.emit('cancelled', message);
    else if (how === 'expired') observer.expired(message);
    else if (how !== 'failed') observer.emit('delivered', message);
    this.home.end(end, isReported);
    return outcome;
  }

  async #giveUp({ end, notice }: Extract<Effect, { kind: 'end' }>, givenUp: GivenUp): Promise<void> {
    if (notice) await this.#send(notice, new AbortController().signal).catch(() => {});
    await this.home.giveUp(end, letterOf(this.record, end, givenUp), givenUp.error);
    this.#options.observer.gaveUp(this.message, givenUp);
  }

  replier(): (answer: StoredAnswer, signal: AbortSignal) => Promise<void> {
    let count = 0;
    return (answer, signal) => {
      const number = count;
      count += 1;
      const sent = (this.#lastReply ?? Promise.resolve()).then(async () => {
        if (number < this.record.progress.repliesSent) return;
        await this.#send(answer, signal, number);
        await this.home.change({ repliesSent: number + 1 });
      });
      this.#lastReply = sent.catch(() => {});
      return sent;
    };
  }

  async once(key: string, effect: () => unknown, signal: AbortSignal): Promise<unknown> {
    const { effects } = this.record.progress;
    if (Object.hasOwn(effects, key)) return effects[key];
    this.#running ??= new Map();
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    signal.throwIfAborted();
    const run = this.#runOnce(key, effect).finally(() => this.#running?.delete(key));
    this.#running.set(key, run);
    return run;
  }

  async #runOnce(key: string, effect: () => unknown): Promise<unknown> {
    const result = await effect();
    await this.home.change({ effects: { [key]: toJson(key, result) } });
    return result;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return MoleculeError.isInstance(error) && error.code === code;
}

/** A replay makes anew what never can be sent. */
function letterOf(
  { message, progress }: MessageRecord,
  { at, error }: MessageEnd,
  { stage, attempts }: GivenUp,
): StoredDeadLetter {
  const { id: activityId, messageId, sourceId } = message;
  const errorCode = error?.code ?? 'handler_failed';
  const { answer: _, ...unanswered } = progress;
  const kept = stage === 'reply' && !isUnsendable(errorCode) ? progress : unanswered;
  return { activityId, messageId, sourceId, stage, attempts, errorCode, at, message, progress: kept };
}

function toJson(key: string, result: unknown): JsonValue {
  if (result === undefined) return null;
  try {
    const text: string | undefined = JSON.stringify(result);
    if (text !== undefined) return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw notJson(key, cause);
  }
  throw notJson(key);
}

function notJson(key: string, cause?: unknown): MoleculeError {
  return new MoleculeError(`The result of once(${JSON.stringify(key)}) is not JSON and cannot be stored.`, {
    code: 'invalid_argument',
    hint: 'Return plain data, such as the id of what was created.',
    cause,
  });
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
  return isJsonObject(question) && question.id === undefined && UnnamedQuestion.safeParse(question).success;
}
