import { TimeoutError } from '../errors/timeout-error.ts';
import type { Clock } from '../time/clock.ts';
import { linkAbort } from '../time/linked-abort.ts';

/**
 * How an attempt ended. `isAborted`: it returned after it was told to end, so the work may be half done.
 * `isStuck`: it was told to end and did not.
 */
export type AttemptResult =
  | {
      readonly kind: 'returned';
      readonly value: unknown;
      readonly isAborted: boolean;
      readonly reason: unknown;
    }
  | { readonly kind: 'threw'; readonly error: unknown; readonly isStuck: boolean };

/** Options of {@link runAttempt}. */
export interface RunAttemptOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long the handler may take, in milliseconds; `null` for as long as it likes. */
  readonly timeoutMs: number | null;
  /** How long it may still run after its signal aborted, in milliseconds. */
  readonly graceMs: number;
}

/**
 * Runs a handler with its time limit. After an abort it has a grace period to end in its own way; then the attempt
 * is over without it. Never rejects.
 */
export async function runAttempt(
  options: RunAttemptOptions,
  handler: (signal: AbortSignal) => unknown,
): Promise<AttemptResult> {
  const { clock, timeoutMs, graceMs } = options;
  using attempt = linkAbort(options.signal);
  const { signal } = attempt;
  const timer =
    timeoutMs === null
      ? undefined
      : clock.setTimer(timeoutMs, () =>
          attempt.abort(new TimeoutError(`The handler took longer than ${timeoutMs} ms.`, { timeoutMs })),
        );
  const settled = settle(signal, handler);
  using waiting = linkAbort();
  try {
    return await Promise.race([settled, graceAfterAbort(clock, graceMs, signal, waiting.signal)]);
  } finally {
    timer?.cancel();
    waiting.abort();
  }
}

async function settle(
  signal: AbortSignal,
  handler: (signal: AbortSignal) => unknown,
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
  graceMs: number,
  signal: AbortSignal,
  over: AbortSignal,
): Promise<AttemptResult> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await clock.sleep(graceMs, { signal: over }).catch(() => {});
  return { kind: 'threw', error: signal.reason, isStuck: true };
}
