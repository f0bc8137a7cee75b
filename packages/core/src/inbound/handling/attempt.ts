import type { InboundMessage } from '@molecule-ai/protocol';
import { TimeoutError } from '../../errors/timeout-error.ts';
import type { Clock } from '../../time/clock.ts';
import { linkAbort } from '../../time/linked-abort.ts';

/** How long a handler may keep running after its signal was aborted. */
const GRACE_MS = 5_000;

/** The context of one attempt; the agent adds client and logger. */
export interface AttemptContext {
  /**
   * Aborted on stop, pause, removal, cancellation by the sender and timeout of the handler. The reason is a
   * `MoleculeError`.
   */
  readonly signal: AbortSignal;
  /** Starts at 1; continues across restarts. */
  readonly attempt: number;
  /**
   * Sends an answer now; a text that the handler returns is then not sent. May be called several times. A later attempt
   * does not send the same answers again.
   */
  reply(text: string): Promise<void>;
  /** Sets the current task that users see, sent with the next heartbeat: one line, cut at 200 characters. */
  progress(text: string): void;
  /**
   * Runs an effect once per message and key; later attempts get the stored result. A crash before the result is stored
   * repeats the effect, so pass the key on as an idempotency key where possible. The result must be JSON; `undefined`
   * is stored as `null`.
   * @throws MoleculeError `invalid_argument` for a result that is not JSON.
   */
  once<T>(key: string, effect: () => T | Promise<T>): Promise<T>;
}

/** Returns the text of the answer, or nothing for no answer. When it throws, the message is retried. */
export type AttemptHandler = (message: InboundMessage, context: AttemptContext) => unknown;

/**
 * `isAborted`: the handler returned after its signal was aborted, so the work may be incomplete. `isStuck`: it did not
 * end within the grace period.
 */
export type AttemptResult =
  | {
      readonly kind: 'returned';
      readonly value: unknown;
      readonly isAborted: boolean;
      readonly reason: unknown;
    }
  | { readonly kind: 'threw'; readonly error: unknown; readonly isStuck: boolean };

export interface AttemptLimits {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Time limit of the handler, in milliseconds; `null` for none. */
  readonly timeoutMs: number | null;
}

/**
 * Runs a handler with a time limit. After an abort the handler has five seconds to end; then the attempt ends without
 * it. Never rejects.
 */
export async function runAttempt(
  { clock, signal: parent, timeoutMs }: AttemptLimits,
  handler: (signal: AbortSignal) => unknown,
): Promise<AttemptResult> {
  using attempt = linkAbort(parent);
  const { signal } = attempt;
  const timer =
    timeoutMs === null
      ? undefined
      : clock.setTimer(timeoutMs, () =>
          attempt.abort(new TimeoutError(`The handler took longer than ${timeoutMs} ms.`, { timeoutMs })),
        );
  using waiting = linkAbort();
  try {
    return await Promise.race([resultOf(handler, signal), graceAfterAbort(clock, signal, waiting.signal)]);
  } finally {
    timer?.cancel();
    waiting.abort();
  }
}

async function resultOf(
  handler: (signal: AbortSignal) => unknown,
  signal: AbortSignal,
): Promise<AttemptResult> {
  try {
    const value = await handler(signal);
    return { kind: 'returned', value, isAborted: signal.aborted, reason: signal.reason };
  } catch (error) {
    return { kind: 'threw', error, isStuck: false };
  }
}

async function graceAfterAbort(
  clock: Clock,
  signal: AbortSignal,
  isOver: AbortSignal,
): Promise<AttemptResult> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await clock.sleep(GRACE_MS, { signal: isOver }).catch(() => {});
  return { kind: 'threw', error: signal.reason, isStuck: true };
}
