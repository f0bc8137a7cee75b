import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import { PairRate } from './loop-guard.ts';

function pairRate(pairRate: number) {
  const clock = new ManualClock();
  return { clock, rate: new PairRate({ clock, settings: { limits: { pairRate } } as never }) };
}

describe('the rate of a pair', () => {
  it('takes a message back that was not stored', () => {
    const { rate } = pairRate(1);
    rate.count('a', 'b');
    rate.count('a', 'b');
    const undo = rate.count('b', 'a');
    expect(rate.waitMs('b', 'a')).toBeGreaterThan(0);
    undo();
    expect(rate.waitMs('b', 'a')).toBe(0);
  });

  it('does not concern an agent that writes to itself, and nobody when it is off', () => {
    const { rate } = pairRate(1);
    for (let count = 0; count < 5; count += 1) rate.count('a', 'a');
    expect(rate.waitMs('a', 'a')).toBe(0);
    const off = pairRate(0).rate;
    for (let count = 0; count < 5; count += 1) {
      off.count('a', 'b');
      off.count('b', 'a');
    }
    expect(off.waitMs('a', 'b')).toBe(0);
  });

  it('remembers a bounded number of pairs, and is reported once a minute', () => {
    const { clock, rate } = pairRate(1);
    for (let count = 0; count < 12_000; count += 1) rate.count('a', `b${count}`);
    expect(rate.isFirstReport('a', 'b11999')).toBe(true);
    expect(rate.isFirstReport('b11999', 'a')).toBe(false);
    clock.advance(60_000);
    rate.count('a', 'b11999');
    expect(rate.isFirstReport('a', 'b11999')).toBe(true);
  });
});
