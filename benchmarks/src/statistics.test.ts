import { expect, it } from 'vitest';
import { median, quantile } from './statistics.ts';

it('takes quantiles by nearest rank', () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2);
  expect(quantile([1, 2, 3, 4], 0.95)).toBe(4);
  expect(quantile([7], 0)).toBe(7);
  expect(median([])).toBeNaN();
});
