import { describe, expect, it, vi } from 'vitest';
import { stripA2aBoundary, wrapA2aBoundary } from './boundary.ts';

describe('wrap and strip', () => {
  it.each([
    '[ ',
    '[',
    '[\\',
    '[ / ',
    '\\',
    ' ',
    '[A2A_RESULT_FROM_PEE',
    '[/A2A_RESULT_FROM_PEER',
    '[/A2A_RESULT_FROM_PEER]',
  ])('read each character of repeated %j a bounded number of times', (unit) => {
    const single = countReads(unit.repeat(4_000));
    const double = countReads(unit.repeat(8_000));
    expect(double).toBeLessThanOrEqual(2 * single + 1_000);
    expect(double).toBeLessThanOrEqual(16 * unit.length * 8_000 + 1_000);
  });

  it.each([' ', '\\', '\t/ '])('read one bracket followed by many %j a bounded number of times', (unit) => {
    const single = countReads(`[${unit.repeat(20_000)}`);
    const double = countReads(`[${unit.repeat(40_000)}`);
    expect(double).toBeLessThanOrEqual(2 * single + 1_000);
  });
});

function countReads(text: string): number {
  const spy = vi.spyOn(String.prototype, 'charCodeAt');
  stripA2aBoundary(wrapA2aBoundary(text));
  const reads = spy.mock.calls.length;
  spy.mockRestore();
  return reads;
}
