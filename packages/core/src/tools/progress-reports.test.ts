import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { reportProgress } from './call-peer.ts';

function stage(report?: (text: string) => void) {
  const clock = new ManualClock();
  const seen: string[] = [];
  const reports = reportProgress(report ?? ((text) => seen.push(text)), { clock });
  return { clock, seen, reports };
}

describe('reportProgress', () => {
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
