import type { InboundMessage } from '@molecule-ai/protocol';
import { TimeoutError } from '../../errors/timeout-error.ts';
import type { Clock } from '../../time/clock.ts';
import { linkAbort } from '../../time/linked-abort.ts';

/** How long a handler may still run after its signal aborted. */
const GRACE_MS = 5_000;

/** What one attempt at a message can do; the agent adds client and logger. */
export interface AttemptContext {
  /**
   * Aborts on stop, pause, removal, cancellation by the sender and when the handler's time is up. The reason is a
   * `MoleculeError`.
   */
  readonly signal: AbortSignal;
  /** 1 for the first; counts across restarts. */
  readonly attempt: number;
  /**
   * Answers the message now; a returned text is then not sent. Several answers are possible; after a retry those
   * that were sent are not sent again.
   */
  reply(text: string): Promise<void>;
  /** Shows people what the agent is doing, by the next heartbeat: one line, cut at 200 characters. */
  progress(text: string): void;
  /**
   * Runs an effect once per message and key: its result is stored, and a later attempt gets the stored result.
   * A crash between the effect and the storing can still repeat it: pass the key on where you can. The result
   * must be JSON; `undefined` is stored as `null`.
   * @throws MoleculeError `invalid_argument` for a result that is no JSON.
   */
  once<T>(key: string, effect: () => T | Promise<T>): Promise<T>;
}

/** Handles one message. A non-blank text is the answer; nothing is no answer; a throw is retried later. */
export type AttemptHandler = (message: InboundMessage, context: AttemptContext) => unknown;

/**
 * How an attempt ended. `isAborted`: it returned after its signal aborted, so the work may be half done.
 * `isStuck`: it neither returned nor threw in the grace period.
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
  /** How long the handler may take, in milliseconds; `null` for as long as it likes. */
  readonly timeoutMs: number | null;
}

/**
 * Runs a handler with its time limit. After an abort it has five seconds to end in its own way; then the attempt is
 * over without it. Never rejects.
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
