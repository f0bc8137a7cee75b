import type { InboundMessage } from '@molecule-ai/protocol';
import type { PlatformClient } from '../../client/platform-client.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Clock } from '../../time/clock.ts';
import type { InboundObserver } from '../inbound-observer.ts';
import type { InboundState } from '../inbound-state.ts';
import { type AttemptContext, type AttemptHandler, type AttemptResult, runAttempt } from './attempt.ts';
import { MessageJournal } from './message-journal.ts';
import {
  autoReplyRefusal,
  isCancelledBySender,
  MAX_ATTEMPTS,
  messageRetryDelayMs,
  replyFailureKind,
} from './rules.ts';
import type { Runnable, RunOutcome } from './scheduler.ts';

const MAX_PROGRESS_LENGTH = 200;
const INTERRUPTED: RunOutcome = { kind: 'interrupted' };

export interface MessageRunOptions {
  readonly state: InboundState;
  readonly client: Pick<PlatformClient, 'reply'>;
  readonly handler: AttemptHandler;
  readonly observer: InboundObserver;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time limit of a handler, in milliseconds; `null` for none. */
  readonly handlerTimeoutMs: number | null;
  /** For at-most-once delivery: resolves when the message cannot be delivered again; `null` for at-least-once. */
  readonly acknowledgeFirst: ((message: InboundMessage, signal: AbortSignal) => Promise<void>) | null;
}

/** Handles one message: runs the handler, sends the answer, finishes the message. */
export class MessageRun implements Runnable {
  readonly message: InboundMessage;
  readonly #options: MessageRunOptions;
  readonly #journal: MessageJournal;
  /** All failures to send the answer. */
  #replyFailures = 0;
  /** Without those while the platform was unavailable. */
  #countedReplyFailures = 0;

  constructor(message: InboundMessage, options: MessageRunOptions) {
    this.message = message;
    this.#options = options;
    const { state, client, observer, acknowledgeFirst } = options;
    const isStored = acknowledgeFirst === null;
    const onReplySent = (): void => observer.replySent(message);
    this.#journal = new MessageJournal({ message, state, client, isStored, onReplySent });
  }

  /**
   * @param signal When aborted, the current attempt is interrupted and not counted. A cancellation by the sender, as the
   * reason, finishes the message.
   */
  async run(signal: AbortSignal): Promise<RunOutcome> {
    if (signal.aborted) return this.#interrupted(signal);
    if (this.#journal.outcome === null) {
      const unfinished = await this.#handle(signal);
      if (unfinished !== null) return unfinished;
    }
    const reply = this.#journal.outcome?.reply ?? null;
    if (reply !== null) {
      const unsent = await this.#reply(reply, signal);
      if (unsent !== null) return unsent;
    }
    this.#options.observer.delivered(this.message);
    return this.#finish();
  }

  /** Runs the handler; returns `null` when it has finished. */
  async #handle(signal: AbortSignal): Promise<RunOutcome | null> {
    const { observer, clock, handler, handlerTimeoutMs, acknowledgeFirst } = this.#options;
    const { message } = this;
    const journal = this.#journal;
    const attemptsBefore = journal.attempts;
    const attempt = attemptsBefore + 1;
    if (attempt > MAX_ATTEMPTS) return this.#giveUp('handler', attemptsBefore, endedByCrash());
    await journal.recordAttempts(attempt);
    if (!signal.aborted) await acknowledgeFirst?.(message, signal).catch(() => {});
    if (signal.aborted) return this.#interrupted(signal, attemptsBefore);

    observer.started(message, attempt);
    const result = await runAttempt({ clock, signal, timeoutMs: handlerTimeoutMs }, (inner) =>
      handler(message, this.#context(attempt, inner)),
    );
    observer.ended(message);
    if (result.kind === 'threw' && result.isStuck) observer.stuck(message);

    if (isCancelledBySender(signal)) return this.#interrupted(signal);
    if (result.kind === 'returned' && this.#isDone(result)) {
      observer.succeeded(message);
      await journal.recordOutcome(this.#replyOf(result.value));
      return null;
    }
    // At-most-once delivery: the message was acknowledged and will not be delivered again.
    if (signal.aborted && acknowledgeFirst !== null) return this.#giveUp('handler', attempt, signal.reason);
    if (signal.aborted) return this.#interrupted(signal, attemptsBefore);
    return this.#failed(attempt, result.kind === 'threw' ? result.error : result.reason);
  }

  /** A handler that returns nothing after an abort has stopped early, so the message is not finished. */
  #isDone({ value, isAborted }: AttemptResult & { readonly kind: 'returned' }): boolean {
    return !isAborted || isText(value) || this.#journal.hasReplied;
  }

  async #failed(attempt: number, error: unknown): Promise<RunOutcome> {
    const { observer, acknowledgeFirst } = this.#options;
    observer.failed(this.message, error);
    if (acknowledgeFirst !== null || attempt >= MAX_ATTEMPTS) return this.#giveUp('handler', attempt, error);
    return this.#retry('handler', attempt, error);
  }

  #context(attempt: number, signal: AbortSignal): AttemptContext {
    const replier = this.#journal.replier();
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
        this.#options.observer.progressed(this.message, line);
      },
      once: async <T>(key: string, effect: () => T | Promise<T>) =>
        (await this.#journal.once(key, effect, signal)) as T,
    };
  }

  #replyOf(value: unknown): string | null {
    if (!isText(value) || this.#journal.hasReplied) return null;
    const refusal = autoReplyRefusal(this.message);
    if (refusal === null) return value;
    this.#options.logger.info({ activityId: this.message.id }, refusal);
    return null;
  }

  /** Sends the answer; returns `null` when it was sent. Failures do not run the handler again. */
  async #reply(text: string, signal: AbortSignal): Promise<RunOutcome | null> {
    try {
      await this.#journal.send(text, signal);
      return null;
    } catch (error) {
      if (signal.aborted) return this.#interrupted(signal);
      const kind = replyFailureKind(error);
      this.#replyFailures += 1;
      if (kind === 'counts') this.#countedReplyFailures += 1;
      if (kind === 'final' || this.#countedReplyFailures >= MAX_ATTEMPTS) {
        return this.#giveUp('reply', this.#replyFailures, error);
      }
      return this.#retry('reply', this.#replyFailures, error);
    }
  }

  #retry(stage: 'handler' | 'reply', attempt: number, error: unknown): RunOutcome {
    const delayMs = messageRetryDelayMs(attempt);
    this.#options.observer.retrying(this.message, { stage, attempt, delayMs, error });
    return { kind: 'retry', delayMs };
  }

  async #giveUp(stage: 'handler' | 'reply', attempts: number, error: unknown): Promise<RunOutcome> {
    const { clock, state, observer } = this.#options;
    const { message } = this;
    await state.addDeadLetter({
      activityId: message.id,
      messageId: message.messageId,
      sourceId: message.sourceId,
      stage,
      attempts,
      errorCode: MoleculeError.isInstance(error) ? error.code : 'handler_failed',
      at: new Date(clock.now()).toISOString(),
    });
    observer.gaveUp(message, { stage, attempts, error });
    return this.#finish();
  }

  /** Finishes the message if the sender cancelled it; otherwise restores the state before the attempt. */
  async #interrupted(signal: AbortSignal, attemptsBefore = this.#journal.attempts): Promise<RunOutcome> {
    if (isCancelledBySender(signal)) {
      this.#options.observer.cancelled(this.message);
      return this.#finish();
    }
    if (attemptsBefore !== this.#journal.attempts) await this.#journal.recordAttempts(attemptsBefore);
    return INTERRUPTED;
  }

  #finish(): RunOutcome {
    void this.#options.state.finish(this.message);
    return { kind: 'finished' };
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function endedByCrash(): MoleculeError {
  return new MoleculeError('The process ended during each attempt to handle this message.', {
    code: 'handler_failed',
  });
}
