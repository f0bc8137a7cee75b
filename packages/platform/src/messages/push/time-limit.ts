import type { Clock } from '../../time/clock.ts';

/**
 * Runs `work` until it ends, `timeLimitMs` have passed or `stopping` is aborted. Its signal is aborted in the last two
 * cases, and nothing waits for it any longer.
 */
export async function runWithin(
  { clock, timeLimitMs, stopping }: { clock: Clock; timeLimitMs: number; stopping: AbortSignal },
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const ending = new AbortController();
  const isOver = new Promise<void>((resolve) => {
    ending.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const end = () => ending.abort();
  const cancelTimer = clock.schedule(timeLimitMs, end);
  stopping.addEventListener('abort', end, { once: true });
  try {
    await Promise.race([work(ending.signal), isOver]);
  } finally {
    cancelTimer();
    stopping.removeEventListener('abort', end);
  }
}
