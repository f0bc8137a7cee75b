import type { InboundMessage } from '@molecule-ai/protocol';
import type { PlatformClient } from '../client/platform-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock } from '../time/clock.ts';
import type { AttemptContext, AttemptHandler } from './attempt-context.ts';
import type { InboundObserver } from './inbound-observer.ts';
import type { InboundStorage } from './inbound-storage.ts';
import type { Inbox } from './inbox.ts';
import { MessageEffects } from './message-effects.ts';
import { MAX_ATTEMPTS, type ProcessingOutcome, retryDelayMs } from './processing-outcome.ts';
import { isReplyVerdict, mayAutoReply } from './reply-rules.ts';
import { runAttempt } from './run-attempt.ts';

const GRACE_MS = 5_000;
const MAX_PROGRESS_LENGTH = 200;

/** What a {@link MessageProcessor} needs. */
export interface MessageProcessorOptions {
  readonly inbox: Inbox;
  readonly storage: InboundStorage;
  readonly port: Pick<PlatformClient, 'fetchInboundPage' | 'acknowledge' | 'reply'>;
  readonly handler: AttemptHandler;
  readonly observer: InboundObserver;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a handler may take, in milliseconds; `null` for as long as it likes. */
  readonly handlerTimeoutMs: number | null;
  /** Makes sure, before the handler runs, that the message will never be delivered again. */
  readonly settleFirst: ((message: InboundMessage, signal: AbortSignal) => Promise<void>) | null;
}

/** Takes one message one step further: handler, then answer, then finished. */
export class MessageProcessor {
  readonly #options: MessageProcessorOptions;
  readonly #effects = new Map<string, MessageEffects>();
  readonly #replyFailures = new Map<string, ReplyFailures>();

  constructor(options: MessageProcessorOptions) {
    this.#options = options;
  }

  /**
   * @param signal Aborts with a reason: then what is under way is interrupted and does not count, unless the reason
   * is a cancellation by the sender, which finishes the message.
   */
  async process(message: InboundMessage, signal: AbortSignal): Promise<ProcessingOutcome> {
    const effects = await this.#effectsOf(message);
    if (isCancelled(signal)) return this.#cancel(message);
    if (signal.aborted) return { kind: 'interrupted' };
    const isHandled = effects.outcome !== null;
    const unfinished = isHandled ? null : await this.#handle(message, effects, signal);
    if (unfinished !== null) return unfinished;
    const reply = effects.outcome?.reply ?? null;
    if (reply !== null) {
      const failure = await this.#reply(message, effects, reply, signal);
      if (failure !== null) return failure;
    }
    this.#options.observer.delivered(message);
    return this.#finish(message);
  }

  /** Runs the handler; `null` when it is done. */
  async #handle(
    message: InboundMessage,
    effects: MessageEffects,
    signal: AbortSignal,
  ): Promise<ProcessingOutcome | null> {
    const { inbox, observer, clock, handler, handlerTimeoutMs, settleFirst } = this.#options;
    const attemptsBefore = inbox.attemptsOf(message.id);
    const attempt = attemptsBefore + 1;
    if (attempt > MAX_ATTEMPTS) return this.#giveUp(message, 'handler', attemptsBefore, endedByCrash());
    await inbox.recordAttempts(message.id, attempt);
    if (signal.aborted) return this.#interrupt(message, attemptsBefore);
    if (settleFirst !== null) {
      await settleFirst(message, signal).catch(() => {});
      if (signal.aborted) return isCancelled(signal) ? this.#cancel(message) : { kind: 'interrupted' };
    }
    observer.started(message, attempt);
    const limits = { clock, signal, timeoutMs: handlerTimeoutMs, graceMs: GRACE_MS };
    const result = await runAttempt(limits, (inner) =>
      handler(message, this.#contextOf(message, effects, attempt, inner)),
    );
    observer.ended(message);
    if (result.kind === 'threw' && result.isStuck) observer.stuck(message);
    if (isCancelled(signal)) return this.#cancel(message);
    if (result.kind === 'returned' && (!result.isAborted || hasAnswer(result.value, effects))) {
      observer.succeeded(message);
      await effects.settle(this.#answerOf(message, effects, result.value));
      return null;
    }
    // Returning nothing after an abort is how a handler breaks off, so the message is not done.
    if (signal.aborted) {
      // At most once: this was the one time, and nothing would bring the message back after a restart either.
      return settleFirst === null
        ? this.#interrupt(message, attemptsBefore)
        : this.#giveUp(message, 'handler', attempt, signal.reason);
    }
    return this.#failed(message, attempt, result.kind === 'threw' ? result.error : result.reason);
  }

  async #failed(message: InboundMessage, attempt: number, error: unknown): Promise<ProcessingOutcome> {
    const { observer, settleFirst } = this.#options;
    observer.failed(message, error);
    if (settleFirst !== null || attempt >= MAX_ATTEMPTS) {
      return this.#giveUp(message, 'handler', attempt, error);
    }
    const delayMs = retryDelayMs(attempt);
    observer.retrying(message, { stage: 'handler', attempt, delayMs, error });
    return { kind: 'retry', delayMs };
  }

  #contextOf(
    message: InboundMessage,
    effects: MessageEffects,
    attempt: number,
    signal: AbortSignal,
  ): AttemptContext {
    const replier = effects.replier();
    return {
      signal,
      attempt,
      reply: async (text) => {
        signal.throwIfAborted();
        await replier(text, signal);
      },
      progress: (text) => {
        if (signal.aborted) return;
        const line = String(text).replace(/\s+/g, ' ').trim().slice(0, MAX_PROGRESS_LENGTH);
        this.#options.observer.progressed(message, line);
      },
      once: async <T>(key: string, effect: () => T | Promise<T>) =>
        (await effects.once(key, effect, signal)) as T,
    };
  }

  #answerOf(message: InboundMessage, effects: MessageEffects, value: unknown): string | null {
    if (!isText(value) || effects.hasReplied) return null;
    const refusal = mayAutoReply(message);
    if (refusal === null) return value;
    this.#options.logger.info({ activityId: message.id }, refusal);
    return null;
  }

  /** Sends the answer; `null` when it is sent. The handler does not run again, however often this fails. */
  async #reply(
    message: InboundMessage,
    effects: MessageEffects,
    text: string,
    signal: AbortSignal,
  ): Promise<ProcessingOutcome | null> {
    const { observer } = this.#options;
    try {
      await effects.send(text, signal);
      this.#replyFailures.delete(message.id);
      return null;
    } catch (error) {
      if (isCancelled(signal)) return this.#cancel(message);
      if (signal.aborted) return { kind: 'interrupted' };
      const verdict = isReplyVerdict(error);
      const before = this.#replyFailures.get(message.id) ?? { all: 0, counted: 0 };
      const attempt = before.all + 1;
      const counted = before.counted + (verdict === 'counts' ? 1 : 0);
      this.#replyFailures.set(message.id, { all: attempt, counted });
      if (verdict === 'final' || counted >= MAX_ATTEMPTS) {
        return this.#giveUp(message, 'reply', attempt, error);
      }
      const delayMs = retryDelayMs(attempt);
      observer.retrying(message, { stage: 'reply', attempt, delayMs, error });
      return { kind: 'retry', delayMs };
    }
  }

  async #giveUp(
    message: InboundMessage,
    stage: 'handler' | 'reply',
    attempts: number,
    error: unknown,
  ): Promise<ProcessingOutcome> {
    const { clock, storage, observer } = this.#options;
    await storage.addDeadLetter({
      activityId: message.id,
      messageId: message.messageId,
      sourceId: message.sourceId,
      stage,
      attempts,
      errorCode: MoleculeError.isInstance(error) ? error.code : 'handler_failed',
      at: new Date(clock.now()).toISOString(),
    });
    observer.gaveUp(message, { stage, attempts, error });
    return this.#finish(message);
  }

  #cancel(message: InboundMessage): ProcessingOutcome {
    this.#options.observer.cancelled(message);
    return this.#finish(message);
  }

  async #interrupt(message: InboundMessage, attemptsBefore: number): Promise<ProcessingOutcome> {
    await this.#options.inbox.recordAttempts(message.id, attemptsBefore);
    return { kind: 'interrupted' };
  }

  #finish(message: InboundMessage): ProcessingOutcome {
    const { inbox, storage } = this.#options;
    this.#effects.delete(message.id);
    this.#replyFailures.delete(message.id);
    void inbox.finish(message).then((isOnDisk) => storage.removeEntry(message.id, isOnDisk));
    return { kind: 'finished' };
  }

  async #effectsOf(message: InboundMessage): Promise<MessageEffects> {
    const known = this.#effects.get(message.id);
    if (known !== undefined) return known;
    const { storage, port, observer, settleFirst } = this.#options;
    const isDurable = settleFirst === null;
    const onReplySent = (): void => observer.replySent(message);
    const effects = new MessageEffects({ message, storage, port, isDurable, onReplySent });
    await effects.load();
    this.#effects.set(message.id, effects);
    return effects;
  }
}

/** Failed attempts to send one answer; those while the platform was away are not held against it. */
interface ReplyFailures {
  readonly all: number;
  readonly counted: number;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function hasAnswer(value: unknown, effects: MessageEffects): boolean {
  return isText(value) || effects.hasReplied;
}

function isCancelled(signal: AbortSignal): boolean {
  return MoleculeError.isInstance(signal.reason) && signal.reason.code === 'cancelled_by_sender';
}

function endedByCrash(): MoleculeError {
  return new MoleculeError('The process ended during each attempt to handle this message.', {
    code: 'handler_failed',
  });
}
