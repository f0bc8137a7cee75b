import type { Clock } from '../time/clock.ts';

const INTERVAL_MS = 250;

export interface ProgressReports {
  /** Takes the next piece of the text. */
  push(delta: string): void;
  /** Reports what is left, at once. Nothing is reported after it. */
  end(): void;
}

/**
 * Joins the pieces of a text into reports: the first at once, then at most one each 250 ms, the last at the end. A report that throws is
 * the last one.
 */
export function reportProgress(
  report: (text: string) => void,
  { clock }: { readonly clock: Pick<Clock, 'setTimer'> },
): ProgressReports {
  let pending = '';
  let isOver = false;
  let timer: ReturnType<Clock['setTimer']> | undefined;

  const flush = (): void => {
    const text = pending;
    pending = '';
    if (isOver || text === '') return;
    try {
      report(text);
    } catch {
      isOver = true;
    }
  };
  const next = (): void => {
    timer = undefined;
    if (pending !== '') start();
  };
  const start = (): void => {
    flush();
    if (!isOver) timer = clock.setTimer(INTERVAL_MS, next);
  };

  return {
    push(delta) {
      if (isOver || delta === '') return;
      pending += delta;
      if (timer === undefined) start();
    },
    end() {
      timer?.cancel();
      flush();
      isOver = true;
    },
  };
}
