import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { RowWaiters } from './row-waiters.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Adds readers; `ends` has the reason of each that no longer waits, in that order. */
function addReaders(waiters: RowWaiters, count: number, ends: string[] = []): string[] {
  for (let index = 0; index < count; index += 1) {
    void waiters.add('w', 60_000).done.then((reason) => ends.push(`${index} ${reason}`));
  }
  return ends;
}

describe('readers that wait for one workspace', () => {
  it('are woken a few in each turn of the event loop, the longest waiting first', async () => {
    const waiters = new RowWaiters(new ManualClock());
    const ends = addReaders(waiters, 35);
    waiters.wake('w');
    const counts: number[] = [];
    for (let index = 0; index < 5; index += 1) {
      await Promise.resolve();
      counts.push(ends.length);
      await turn();
    }
    expect(counts).toEqual([10, 20, 30, 35, 35]);
    expect(ends[0]).toBe('0 woken');
    expect(waiters.size).toBe(0);
  });

  it('are at most 500: one more ends the longest waiting one', async () => {
    const waiters = new RowWaiters(new ManualClock());
    const ends = addReaders(waiters, 502);
    await turn();
    expect(ends).toEqual(['0 ended', '1 ended']);
    expect(waiters.size).toBe(500);
    waiters.close();
    await turn();
    expect(ends).toHaveLength(502);
  });
});
