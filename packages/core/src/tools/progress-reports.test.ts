import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { reportProgress } from './progress-reports.ts';

function stage(report?: (text: string) => void) {
  const clock = new ManualClock();
  const seen: string[] = [];
  const reports = reportProgress(report ?? ((text) => seen.push(text)), { clock });
  return { clock, seen, reports };
}

describe('reportProgress', () => {
  it('reports the first piece at once, then what came in 250 ms as one, and the rest at the end', async () => {
    const { clock, seen, reports } = stage();
    reports.push('a');
    reports.push('b');
    reports.push('');
    reports.push('c');
    expect(seen).toEqual(['a']);
    await clock.advance(249);
    expect(seen).toEqual(['a']);
    await clock.advance(1);
    expect(seen).toEqual(['a', 'bc']);
    reports.push('d');
    await clock.advance(100);
    reports.end();
    expect(seen).toEqual(['a', 'bc', 'd']);
    reports.push('e');
    reports.end();
    await clock.advance(1_000);
    expect(seen).toEqual(['a', 'bc', 'd']);
  });

  it('reports a piece after a pause at once', async () => {
    const { clock, seen, reports } = stage();
    reports.push('a');
    await clock.advance(1_000);
    reports.push('b');
    expect(seen).toEqual(['a', 'b']);
    reports.end();
  });

  it('ends with a report that throws', async () => {
    let calls = 0;
    const { clock, reports } = stage(() => {
      calls += 1;
      throw new Error('closed');
    });
    reports.push('a');
    reports.push('b');
    await clock.advance(1_000);
    reports.end();
    expect(calls).toBe(1);
  });
});
