import type { InboundMessage } from '@molecule-ai/protocol';
import { deadlineOf, runHandling, toCurrentMessage } from '../../client/current-message.ts';
import type { PlatformClient } from '../../client/platform-client.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Clock } from '../../time/clock.ts';
import type { InboundObserver } from '../inbound-observer.ts';
import type { MessageEnd } from '../inbound-state.ts';
import type { StoredAnswer } from '../stores/message-progress.ts';
import type { AttemptText } from '../streams/attempt-text.ts';
import { type AttemptHandler, type AttemptResult, runAttempt } from './attempt.ts';
import { attemptContext } from './attempt-context.ts';
import { codeOf, givenUp } from './given-up.ts';
import { type ReadAnswer, readHandlerAnswer } from './handler-answer.ts';
import { logIgnored } from './ignored-keys.ts';
import { MessageJournal } from './message-journal.ts';
import {
  autoReplyRefusal,
  endedByCrash,
  endingFailure,
  ignoredOptionsOf,
  isCancelledBySender,
  isDeadlinePassed,
  isExpiredForReply,
  isInvalidAnswer,
  MAX_ATTEMPTS,
  messageRetryDelayMs,
  refusedDelayMs,
  replyFailureCode,
  replyFailureKind,
} from './rules.ts';
import type { RunSubject } from './run-subject.ts';
import type { FinishedAs, Runnable, RunOutcome } from './runnable.ts';

const INTERRUPTED: RunOutcome = { kind: 'interrupted' };
const EXPIRED: MessageEnd = {
  outcome: 'failed',
  error: { message: 'The deadline passed before the agent had finished.', code: 'message_expired' },
};

export interface MessageRunOptions {
  readonly client: Pick<PlatformClient, 'workspaceId' | 'capabilities' | 'reply'>;
  readonly handler: AttemptHandler;
  readonly observer: InboundObserver;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time limit of a handler, in milliseconds; `null` for none. */
  readonly handlerTimeoutMs: number | null;
}

/** Handles one message: runs the handler, sends the answer, finishes the message. */
export class MessageRun implements Runnable {
  readonly #subject: RunSubject;
  readonly #options: MessageRunOptions;
  readonly #journal: MessageJournal;
  readonly #maxAttempts: number;
  /** All failures to send the answer. */
  #replyFailures = 0;
  /** Without those while the platform was unavailable. */
  #countedReplyFailures = 0;
  #hasExpired = false;

  constructor(subject: RunSubject, options: MessageRunOptions) {
    this.#subject = subject;
    this.#options = options;
    this.#maxAttempts = subject.isRetried ? MAX_ATTEMPTS : subject.progress.attempts + 1;
    this.#journal = new MessageJournal({
      message: subject.message,
      progress: subject.progress,
      store: (change) => subject.save(change),
      client: options.client,
      onReplySent: () => options.observer.replySent(subject.message),
    });
  }

  get message(): InboundMessage {
    return this.#subject.message;
  }

  get attempts(): number {
    return this.#journal.attempts;
  }

  /**
   * @param signal When aborted, the current attempt is interrupted and not counted. A cancellation by the sender, as the
   * reason, finishes the message.
   */
  async run(signal: AbortSignal): Promise<RunOutcome> {
    if (signal.aborted) return this.#interrupted(signal);
    if (this.#journal.outcome === null) {
      const ended = await this.#handle(signal);
      if (ended !== null) return ended;
    }
    const answer = this.#journal.outcome?.reply ?? null;
    if (answer !== null) {
      await this.#subject.flush();
      const ended = await this.#reply(answer, signal);
      if (ended !== null) return ended;
    }
    this.#options.observer.delivered(this.message);
    if (answer !== null || this.#journal.hasReplied) return this.#finish(null, 'answered');
    return this.#end({ outcome: 'unanswered' }, 'unanswered', signal);
  }

  /** Runs the handler; returns `null` when it has finished. */
  async #handle(signal: AbortSignal): Promise<RunOutcome | null> {
    const { client, observer, clock, handler, handlerTimeoutMs, logger } = this.#options;
    const { message, acknowledgeFirst, isRetried } = this.#subject;
    const journal = this.#journal;
    const attemptsBefore = journal.attempts;
    const attempt = attemptsBefore + 1;
    if (attempt > this.#maxAttempts) return this.#giveUp('handler', attemptsBefore, endedByCrash());
    // A dead letter that is handled again has ended for its sender long ago.
    const deadlineMs = isRetried ? deadlineOf(message.metadata) : null;
    if (deadlineMs !== null && deadlineMs <= clock.now()) return this.#expired(EXPIRED);
    await journal.recordAttempts(attempt);
    if (this.#subject.isAccepted !== null && !(await this.#subject.isAccepted)) {
      return { kind: 'finished', how: 'not_stored' };
    }
    if (!signal.aborted) await acknowledgeFirst?.(signal).catch(() => {});
    if (signal.aborted) return this.#interrupted(signal, attemptsBefore);

    observer.started(message, attempt);
    const current = toCurrentMessage(message, { workspaceId: client.workspaceId, attempt });
    const limits = { clock, signal, timeoutMs: handlerTimeoutMs, deadlineMs };
    const text = this.#beginText();
    const onExpired = (): void => {
      this.#hasExpired = true;
    };
    const result = await runAttempt(limits, (inner) => {
      const context = attemptContext({
        message,
        attempt,
        signal: inner,
        text,
        journal,
        observer,
        logger,
        onExpired,
      });
      return runHandling(current, inner, async () => {
        const returned: unknown = await handler(message, context);
        return readHandlerAnswer(returned, text, inner, journal.hasReplied);
      });
    });
    if (result.kind === 'returned' && result.value.kind === 'answer') text.complete();
    else {
      if (!signal.aborted && !isOverdue(result)) await this.#subject.stream.drain(text, clock, signal);
      text.discard();
    }
    observer.ended(message);
    if (result.kind === 'aborted' && result.isStuck) observer.stuck(message);

    if (isCancelledBySender(signal)) return this.#interrupted(signal);
    if (isOverdue(result)) return this.#expired(EXPIRED);
    if (result.kind === 'returned') return this.#handled(attempt, result.value);
    // At-most-once delivery: the message was acknowledged and will not be delivered again.
    if (signal.aborted && acknowledgeFirst !== null) return this.#giveUp('handler', attempt, signal.reason);
    if (signal.aborted) return this.#interrupted(signal, attemptsBefore);
    if (this.#hasExpired) return this.#expired();
    return this.#failed(attempt, result.error, { isThrown: result.kind === 'threw', text, signal });
  }

  /** Records the answer. A value that is not an answer is a defect of the handler, which another attempt does not repair. */
  async #handled(attempt: number, read: ReadAnswer): Promise<RunOutcome | null> {
    const { observer, logger } = this.#options;
    if (read.kind === 'invalid') {
      observer.failed(this.message, read.error);
      return this.#giveUp('handler', attempt, read.error);
    }
    logIgnored(logger, this.message, read.ignored);
    observer.succeeded(this.message);
    await this.#journal.recordOutcome(this.#answerToSend(read.answer));
    return null;
  }

  async #failed(
    attempt: number,
    error: unknown,
    {
      isThrown,
      text,
      signal,
    }: { readonly isThrown: boolean; readonly text: AttemptText; readonly signal: AbortSignal },
  ): Promise<RunOutcome> {
    const { observer, logger } = this.#options;
    observer.failed(this.message, error);
    const failure = isThrown ? endingFailure(error) : null;
    if (failure !== null) {
      logIgnored(logger, this.message, ignoredOptionsOf(failure));
      observer.endedAsFailed(this.message, failure);
      const { textForSender, code } = failure;
      return this.#end({ outcome: 'failed', error: { message: textForSender, code } }, 'failed', signal);
    }
    // Nobody can take back what was shown, and a text that is too long is too long again.
    const isFinal = text.hasLeft || (text.rejection !== null && error === text.rejection);
    const isOnlyAttempt = this.#subject.acknowledgeFirst !== null || isInvalidAnswer(error);
    const isLast = isFinal || isOnlyAttempt || attempt >= this.#maxAttempts;
    return isLast ? this.#giveUp('handler', attempt, error) : this.#retry('handler', attempt, error);
  }

  /** Readers get no text that is not sent in the end, nor that of another attempt than the first one that they got. */
  #beginText(): AttemptText {
    const { message, isCallerKnown, isAnsweredByRequest, stream } = this.#subject;
    const journal = this.#journal;
    const isSent = autoReplyRefusal(message, isCallerKnown) === null && !journal.hasReplied;
    return stream.begin({
      isShown: isSent && !journal.hasStreamed,
      isRequest: isAnsweredByRequest,
      onFirst: () => journal.recordStreamed(),
    });
  }

  #answerToSend(answer: StoredAnswer | null): StoredAnswer | null {
    if (answer === null || this.#journal.hasReplied) return null;
    const refusal = autoReplyRefusal(this.message, this.#subject.isCallerKnown);
    if (refusal === null) return answer;
    this.#options.logger.info({ activityId: this.message.id }, refusal);
    return null;
  }

  /** Sends the answer; returns `null` when it was sent. Failures do not run the handler again. */
  async #reply(answer: StoredAnswer, signal: AbortSignal): Promise<RunOutcome | null> {
    try {
      const { status } = await this.#journal.send(answer, signal);
      return status === 'ignored' ? this.#cancelled() : null;
    } catch (error) {
      if (signal.aborted) return this.#interrupted(signal);
      if (isExpiredForReply(error)) return this.#expired();
      const kind = this.#kindOf(error);
      this.#replyFailures += 1;
      if (kind === 'refused' && this.#subject.isRetried) return this.#refused(error);
      if (kind === 'counts') this.#countedReplyFailures += 1;
      const isLast =
        kind === 'final' || this.#countedReplyFailures >= MAX_ATTEMPTS || !this.#subject.isRetried;
      return isLast
        ? this.#giveUp('reply', this.#replyFailures, error)
        : this.#retry('reply', this.#replyFailures, error);
    }
  }

  /** What is too large for a request may be the response of one: whoever read a stream of it may come back. */
  #kindOf(error: unknown): ReturnType<typeof replyFailureKind> {
    const isTooLarge = replyFailureCode(error) === 'agent_answer_too_large';
    return isTooLarge && !this.#subject.isAnsweredByRequest ? 'counts' : replyFailureKind(error);
  }

  /** The recipient has no room for the answer, which waits for a limited time. */
  async #refused(error: unknown): Promise<RunOutcome> {
    const now = this.#options.clock.now();
    const delayMs = refusedDelayMs(now - (await this.#journal.recordRefusal(new Date(now).toISOString())));
    return delayMs === null || !this.#subject.answerWaits()
      ? this.#giveUp('reply', this.#replyFailures, error)
      : this.#retry('reply', this.#replyFailures, error, delayMs);
  }

  #retry(
    stage: 'handler' | 'reply',
    attempt: number,
    error: unknown,
    delayMs = messageRetryDelayMs(attempt),
  ): RunOutcome {
    this.#options.observer.retrying(this.message, { stage, attempt, delayMs, error });
    return { kind: 'retry', delayMs, code: codeOf(stage, error) };
  }

  async #giveUp(stage: 'handler' | 'reply', attempts: number, error: unknown): Promise<RunOutcome> {
    const { clock, observer } = this.#options;
    const { message } = this;
    const { progress } = this.#journal;
    const at = new Date(clock.now()).toISOString();
    const { letter, end } = givenUp(message, { stage, attempts, error, at, progress });
    const late = end === null ? null : this.#subject.lateEnd(end);
    if (late !== null) await this.#journal.send(late, new AbortController().signal).catch(() => {});
    await this.#subject.giveUp(letter, error);
    observer.gaveUp(message, { stage, attempts, error });
    return { kind: 'finished', how: 'dead_letter', code: letter.errorCode };
  }

  /** Finishes the message if the sender cancelled it; otherwise restores the state before the attempt. */
  async #interrupted(signal: AbortSignal, attemptsBefore = this.#journal.attempts): Promise<RunOutcome> {
    if (isCancelledBySender(signal)) return this.#cancelled();
    if (attemptsBefore !== this.#journal.attempts) await this.#journal.recordAttempts(attemptsBefore);
    this.#subject.stream.interrupt();
    return INTERRUPTED;
  }

  #cancelled(): RunOutcome {
    this.#options.observer.cancelled(this.message);
    return this.#finish({ outcome: 'canceled' }, 'canceled');
  }

  /** `end` is reported where the platform may not have noticed yet. */
  #expired(end: MessageEnd | null = null): RunOutcome {
    this.#options.observer.expired(this.message);
    return this.#finish(end, 'expired', 'message_expired');
  }

  /** Ends the message without an answer. What the sender is sent instead is stored and sent like an answer. */
  async #end(end: MessageEnd, how: FinishedAs, signal: AbortSignal): Promise<RunOutcome> {
    const late = this.#subject.lateEnd(end);
    const code = how === 'failed' ? (end.error?.code ?? 'failed') : undefined;
    if (late === null) return this.#finish(end, how, code);
    await this.#journal.recordOutcome(late);
    return (await this.#reply(late, signal)) ?? this.#finish(null, how, code);
  }

  #finish(end: MessageEnd | null, how: FinishedAs, code?: string): RunOutcome {
    this.#subject.finish(end);
    return { kind: 'finished', how, code };
  }
}

/** Whether the deadline of the message ended an attempt. */
function isOverdue(result: AttemptResult<unknown>): boolean {
  return result.kind === 'aborted' && isDeadlinePassed(result.error);
}
