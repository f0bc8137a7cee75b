import { describe, expect, it } from 'vitest';
import {
  createBoundaryStripper,
  createBoundaryWrapper,
  stripA2aBoundary,
  wrapA2aBoundary,
} from './boundary.ts';
import { createMarkerScanner } from './look-alikes.ts';

/** Hostile are texts of which a scanner that goes back would read much more than twice as much when they are twice as long. */
const UNITS = [
  '[ ',
  '[',
  '[\\',
  '[ / ',
  '\\',
  ' ',
  '[A2A_RESULT_FROM_PEE',
  '[/A2A_RESULT_FROM_PEER',
  '[/A2A_RESULT_FROM_PEER]',
] as const;
const TIMES = 500;

describe('each character is read a bounded number of times', () => {
  it.each(UNITS)('of a whole text of repeated %j', (unit) => {
    const cost = (times: number) => countReads(() => stripA2aBoundary(wrapA2aBoundary(unit.repeat(times))));
    expect(cost(2 * TIMES)).toBeLessThanOrEqual(2 * cost(TIMES) + 1_000);
    expect(cost(2 * TIMES)).toBeLessThanOrEqual(16 * unit.length * 2 * TIMES + 1_000);
  });

  it.each([' ', '\\', '\t/ '])('of one bracket followed by many %j', (unit) => {
    const cost = (times: number) =>
      countReads(() => stripA2aBoundary(wrapA2aBoundary(`[${unit.repeat(times)}`)));
    expect(cost(8 * TIMES)).toBeLessThanOrEqual(2 * cost(4 * TIMES) + 1_000);
  });

  it.each(UNITS)('of repeated %j in pieces of one', (unit) => {
    const cost = (times: number) =>
      countReads(() => {
        const wrapper = createBoundaryWrapper();
        const stripper = createBoundaryStripper();
        for (const character of unit.repeat(times)) stripper.push(wrapper.push(character));
        stripper.push(wrapper.end());
        stripper.end();
      });
    expect(cost(2 * TIMES)).toBeLessThanOrEqual(2 * cost(TIMES) + 1_000);
  });

  it.each([' ', '\\', 'x[', '[/A2A_RESULT_FROM_PEE'])('of a bracket and many pieces %j', (unit) => {
    const cost = (times: number) =>
      countReads(() => {
        const scanner = createMarkerScanner();
        scanner.push('[');
        for (let piece = 0; piece < times; piece += 1) scanner.push(unit);
        scanner.end();
      });
    expect(cost(2 * TIMES)).toBeLessThanOrEqual(2 * cost(TIMES) + 100);
    expect(cost(TIMES)).toBeLessThanOrEqual(4 * unit.length * TIMES + 100);
  });
});

/** How many characters `work` reads. */
function countReads(work: () => void): number {
  const { charCodeAt } = String.prototype;
  let reads = 0;
  String.prototype.charCodeAt = function (at) {
    reads += 1;
    return charCodeAt.call(this, at);
  };
  try {
    work();
  } finally {
    String.prototype.charCodeAt = charCodeAt;
  }
  return reads;
}
