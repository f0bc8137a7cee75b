import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetTracker } from './offset-tracker.ts';

describe('OffsetTracker', () => {
  it('acknowledges the longest finished prefix, whatever order rows finish in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }).chain((count) =>
          fc
            .shuffledSubarray(
              Array.from({ length: count }, (_, index) => index + 1),
              { minLength: 0, maxLength: count },
            )
            .map((order) => ({ count, order })),
        ),
        ({ count, order }) => {
          const tracker = new OffsetTracker();
          for (let seq = 1; seq <= count; seq += 1) tracker.add(`row-${seq}`, seq, false);
          const finished = new Set<number>();
          for (const seq of order) {
            expect(tracker.finish(`row-${seq}`)).toBe(true);
            finished.add(seq);
            let prefix = 0;
            while (finished.has(prefix + 1)) prefix += 1;
            expect(tracker.acknowledged).toBe(prefix === 0 ? null : `row-${prefix}`);
            expect(tracker.size).toBe(count - prefix);
            expect(tracker.unfinished).toBe(count - finished.size);
            const ahead = [...finished].filter((done) => done > prefix).sort((a, b) => a - b);
            expect(tracker.finishedAhead()).toEqual(ahead.map((done) => `row-${done}`));
          }
        },
      ),
    );
  });

  it('inserts a late row in order', () => {
    const tracker = new OffsetTracker();
    tracker.add('row-1', 1, false);
    tracker.add('row-3', 3, false);
    tracker.add('row-2', 2, false);
    tracker.finish('row-1');
    tracker.finish('row-3');
    expect(tracker.acknowledged).toBe('row-1');
    tracker.finish('row-2');
    expect(tracker.acknowledged).toBe('row-3');
  });

  it('keeps the order of arrival if rows have no seq', () => {
    const tracker = new OffsetTracker('row-0');
    for (const id of ['b', 'a', 'c']) tracker.add(id, null, false);
    tracker.finish('a');
    expect(tracker.acknowledged).toBe('row-0');
    tracker.finish('b');
    expect(tracker.acknowledged).toBe('a');
  });

  it('never moves back to an older row', () => {
    const tracker = new OffsetTracker();
    tracker.add('row-5', 5, true);
    tracker.add('row-2', 2, true);
    expect(tracker.acknowledged).toBe('row-5');
  });

  it('adds and finishes a row once', () => {
    const tracker = new OffsetTracker();
    expect(tracker.add('a', 1, false)).toBe(true);
    expect(tracker.add('a', 1, true)).toBe(false);
    expect(tracker.has('a')).toBe(true);
    expect(tracker.finish('a')).toBe(true);
    expect(tracker.finish('a')).toBe(false);
    expect(tracker.finish('unknown')).toBe(false);
    expect(tracker.has('a')).toBe(false);
  });

  it('clears the position and keeps the rows', () => {
    const tracker = new OffsetTracker('old');
    tracker.add('a', 1, false);
    tracker.forgetPosition();
    expect(tracker.acknowledged).toBeNull();
    tracker.finish('a');
    expect(tracker.acknowledged).toBe('a');
  });
});
