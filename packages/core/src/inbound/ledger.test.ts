import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from './ledger.ts';

describe('Ledger', () => {
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
          const ledger = new Ledger();
          for (let seq = 1; seq <= count; seq += 1) ledger.add(`row-${seq}`, seq, false);
          const finished = new Set<number>();
          for (const seq of order) {
            expect(ledger.finish(`row-${seq}`)).toBe(true);
            finished.add(seq);
            let prefix = 0;
            while (finished.has(prefix + 1)) prefix += 1;
            expect(ledger.acknowledged).toBe(prefix === 0 ? null : `row-${prefix}`);
            expect(ledger.size).toBe(count - prefix);
            expect(ledger.unfinished).toBe(count - finished.size);
            const ahead = [...finished].filter((done) => done > prefix).sort((a, b) => a - b);
            expect(ledger.finishedAhead()).toEqual(ahead.map((done) => `row-${done}`));
          }
        },
      ),
    );
  });

  it('enters a row that comes late at its place', () => {
    const ledger = new Ledger();
    ledger.add('row-1', 1, false);
    ledger.add('row-3', 3, false);
    ledger.add('row-2', 2, false);
    ledger.finish('row-1');
    ledger.finish('row-3');
    expect(ledger.acknowledged).toBe('row-1');
    ledger.finish('row-2');
    expect(ledger.acknowledged).toBe('row-3');
  });

  it('keeps the order of arrival where the platform numbers nothing', () => {
    const ledger = new Ledger('row-0');
    for (const id of ['b', 'a', 'c']) ledger.add(id, null, false);
    ledger.finish('a');
    expect(ledger.acknowledged).toBe('row-0');
    ledger.finish('b');
    expect(ledger.acknowledged).toBe('a');
  });

  it('never goes back to an older row', () => {
    const ledger = new Ledger();
    ledger.add('row-5', 5, true);
    ledger.add('row-2', 2, true);
    expect(ledger.acknowledged).toBe('row-5');
  });

  it('takes a row once and finishes it once', () => {
    const ledger = new Ledger();
    expect(ledger.add('a', 1, false)).toBe(true);
    expect(ledger.add('a', 1, true)).toBe(false);
    expect(ledger.has('a')).toBe(true);
    expect(ledger.finish('a')).toBe(true);
    expect(ledger.finish('a')).toBe(false);
    expect(ledger.finish('unknown')).toBe(false);
    expect(ledger.has('a')).toBe(false);
  });

  it('forgets the position and keeps the rows', () => {
    const ledger = new Ledger('old');
    ledger.add('a', 1, false);
    ledger.forgetPosition();
    expect(ledger.acknowledged).toBeNull();
    ledger.finish('a');
    expect(ledger.acknowledged).toBe('a');
  });
});
