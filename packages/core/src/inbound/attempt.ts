import type { InboundMessage } from '@molecule-ai/protocol';
import { deadlinePassed } from '../client/current-message.ts';
import { TimeoutError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import { type AnswerContent, checkDelta, logIgnored, readAnswer } from './handler-answer.ts';
import type { InboundObserver } from './inbound-observer.ts';
import { isExpiredForReply, type StoredAnswer } from './life.ts';
import type { AttemptText } from './streams/answer-stream.ts';

/** How long a handler may keep running after its signal was aborted. */
const GRACE_MS = 5_000;
const MAX_PROGRESS_LENGTH = 200;
const EITHER = 'Use either context.reply() or context.stream() for one message.';
/** A timer cannot be longer; no handler is. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The context of one attempt; the agent adds client and logger. */
export interface AttemptContext {
  /**
   * Aborts when the handler has to end. The reason is a `MoleculeError` whose code says why. `cancelled_by_sender`: the
   * message is finished, and no answer is sent. `message_expired`: its deadline has passed, and it is finished too.
   * `agent_stopped`, `workspace_paused`: the message is handled again. `timed_out`: so it is, unless text of the answer was
   * sent; then it fails. The handler has five seconds to end; what it returns or throws after the abort does not count. Pass the
   * signal to everything that takes one, calls to peers included.
   */
  readonly signal: AbortSignal;
  /** The number of this attempt at the message: starts at 1; continues across restarts. */
  readonly attempt: number;
  /**
   * Sends an answer now; an answer that the handler returns is then not sent. May be called several times. A later
   * attempt does not send the same answers again. Resolves when the platform or the waiting request has the answer.
   * @throws MoleculeError `invalid_answer`, also after `stream`; `invalid_argument` for a blank one. After an abort it rejects
   * with the signal's reason.
   */
  reply(answer: string | AnswerContent): Promise<void>;
  /**
   * Adds to the answer, and sends this to whoever reads it as a stream; what the handler returns then is the rest. Resolves when
   * the readers are not far behind, or were waited for 5 s in all. Once text was sent, a handler that throws is not retried: the
   * message fails.
   * @throws MoleculeError `invalid_answer` for what is not a text, and after `reply`; `invalid_argument` after the return;
   * `agent_answer_too_large` above 10 Mi characters, and above 1 MiB as JSON where the message was polled. After an abort it
   * rejects with the signal's reason.
   */
  stream(delta: string): Promise<void>;
  /** Sets the current task that users see, sent with the next heartbeat: one line, cut at 200 characters. Nothing after an abort. */
  progress(text: string): void;
  /**
   * Runs an effect once per message and key; later attempts get the stored result. A crash before the result is stored
   * repeats the effect, so pass the key on as an idempotency key where possible. The result must be JSON; `undefined`
   * is stored as `null`.
   * @throws MoleculeError `invalid_argument` for a result that is not JSON.
   */
  once<T>(key: string, effect: () => T | Promise<T>): Promise<T>;
}

/** Handles one message; what it returns is read by `readHandlerAnswer`. */
export type AttemptHandler = (message: InboundMessage, context: AttemptContext) => unknown;

/**
 * How an attempt ended. `aborted`: its signal aborted before it ended, so the work may be half done, and what it
 * returned or threw does not count; `isStuck`: it did not end in the grace period.
 */
export type AttemptResult<T> =
  | { readonly kind: 'returned'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'aborted'; readonly error: unknown; readonly isStuck: boolean };

export interface AttemptLimits {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Time limit of the handler, in milliseconds; `null` for none. */
  readonly timeoutMs: number | null;
  /** When the sender of the message no longer waits, as Unix time in milliseconds; `null` for no limit. */
  readonly deadlineMs: number | null;
}

/**
 * Runs a handler with a time limit. After an abort the handler has five seconds to end; then the attempt ends without
 * it. Never rejects.
 */
export function runAttempt<T>(
  { clock, signal: parent, timeoutMs, deadlineMs }: AttemptLimits,
  handler: (signal: AbortSignal) => Promise<T>,
): Promise<AttemptResult<T>> {
  const attempt = linkAbort(parent);
  const { signal } = attempt;
  const timer =
    timeoutMs === null
      ? undefined
      : clock.setTimer(timeoutMs, () =>
          attempt.abort(new TimeoutError(`The handler took longer than ${timeoutMs} ms.`, { timeoutMs })),
        );
  const leftMs = deadlineMs === null ? LONGEST_TIMER_MS : deadlineMs - clock.now();
  const deadline =
    leftMs < LONGEST_TIMER_MS ? clock.setTimer(leftMs, () => attempt.abort(deadlinePassed())) : undefined;
  return new Promise((resolve) => {
    /** Made when it is needed: an abort costs more than all else here. */
    let grace: LinkedAbort | undefined;
    let isOver = false;
    const end = (result: AttemptResult<T>): void => {
      timer?.cancel();
      deadline?.cancel();
      attempt.unlink();
      grace?.abort();
      isOver = true;
      resolve(result);
    };
    const beginGrace = (): void => {
      if (isOver) return;
      grace = linkAbort();
      const stuck = { kind: 'aborted', error: signal.reason, isStuck: true } as const;
      clock.sleep(GRACE_MS, { signal: grace.signal }).then(
        () => end(stuck),
        () => {},
      );
    };
    // Later than whoever aborts begins to wait for the same time.
    const onAbort = (): void => queueMicrotask(beginGrace);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    void resultOf(handler, signal).then(end);
  });
}

async function resultOf<T>(
  handler: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<AttemptResult<T>> {
  try {
    const value = await handler(signal);
    if (!signal.aborted) return { kind: 'returned', value };
  } catch (error) {
    if (!signal.aborted) return { kind: 'threw', error };
  }
  return { kind: 'aborted', error: signal.reason, isStuck: false };
}

/** What was done for a message in all attempts, so that none repeats it. */
export interface AttemptJournal {
  /** Whether the handler called `context.reply`, in this attempt or an earlier one. */
  readonly hasReplied: boolean;
  /** Returns a function that sends the answers of one attempt in order, skipping those that an earlier attempt sent. */
  replier(): (answer: StoredAnswer, signal: AbortSignal) => Promise<void>;
  once(key: string, effect: () => unknown, signal: AbortSignal): Promise<unknown>;
}

export interface AttemptContextOptions {
  readonly message: InboundMessage;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly text: AttemptText;
  readonly journal: AttemptJournal;
  readonly observer: Pick<InboundObserver, 'progressed'>;
  readonly logger: Logger;
  /** The platform has let the message expire before a reply. */
  readonly onExpired: () => void;
}

/** What the handler of one attempt is given. */
export function attemptContext(options: AttemptContextOptions): AttemptContext {
  const { message, attempt, signal, text, journal, observer, logger, onExpired } = options;
  const replier = journal.replier();
  let hasReplied = journal.hasReplied;
  return {
    signal,
    attempt,
    reply: async (content) => {
      signal.throwIfAborted();
      const read = readAnswer(content);
      if (read.kind === 'invalid') throw read.error;
      logIgnored(logger, message, read.ignored);
      if (read.answer === null) throw invalid('The text of a reply must not be blank.');
      if (text.length > 0) {
        throw mixed('The answer to this message is being streamed.', 'Stream the rest of it, or return it.');
      }
      hasReplied = true;
      // What the handler returns after it is not sent.
      text.hide();
      await replier(read.answer, signal).catch((error: unknown) => {
        if (isExpiredForReply(error)) onExpired();
        throw error;
      });
    },
    stream: async (delta) => {
      const checked = checkDelta(delta);
      if (hasReplied) {
        throw mixed('The message was answered with context.reply() before.', EITHER);
      }
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

function invalid(message: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_argument' });
}

/** A defect of the handler, which another attempt does not repair. */
function mixed(message: string, hint: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_answer', hint });
}
