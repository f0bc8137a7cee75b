import { expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { RateBucket } from './rate-limits.ts';

it('a caller has its whole limit again a minute after its first request', () => {
  const clock = new ManualClock();
  const bucket = new RateBucket(clock, 2);
  expect(bucket.take('a')).toEqual({ isAllowed: true, limit: 2, remaining: 1, resetMs: 60_000 });
  clock.advance(59_999);
  expect(bucket.take('a')).toMatchObject({ isAllowed: true, remaining: 0, resetMs: 1 });
  expect(bucket.take('a')).toMatchObject({ isAllowed: false, remaining: 0 });
  expect(bucket.take('b').isAllowed).toBe(true);
  clock.advance(1);
  expect(bucket.take('a')).toMatchObject({ isAllowed: true, remaining: 1, resetMs: 60_000 });
});

it('a request that leaves room for others is refused while they still may send', () => {
  const bucket = new RateBucket(new ManualClock(), 3);
  expect(bucket.take('a', 1)).toMatchObject({ isAllowed: true, remaining: 1 });
  expect(bucket.take('a', 1)).toMatchObject({ isAllowed: true, remaining: 0 });
  // A refused one does not count.
  for (let i = 0; i < 5; i += 1) expect(bucket.take('a', 1).isAllowed).toBe(false);
  expect(bucket.take('a').isAllowed).toBe(true);
  expect(bucket.take('a').isAllowed).toBe(false);
});

it('stores the 20 000 callers that sent last', () => {
  const bucket = new RateBucket(new ManualClock(), 1);
  bucket.take('first');
  bucket.take('second');
  bucket.take('first');
  for (let i = 0; i < 19_999; i += 1) bucket.take(`caller-${i}`);
  expect(bucket.take('first').isAllowed).toBe(false);
  expect(bucket.take('second').isAllowed).toBe(true);
});
