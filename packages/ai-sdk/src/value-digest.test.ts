import { expect, it } from 'vitest';
import { valueDigest } from './stored-outcome.ts';

it('is the same for the same value, and another for any other', () => {
  const value = (byte: number) => [
    { text: 'x', data: new Uint8Array([1, byte]) },
    new URL('https://example.com'),
  ];
  expect(valueDigest(value(2))).toBe(valueDigest(value(2)));
  const others = [
    value(2),
    value(3),
    'x',
    '',
    null,
    [],
    {},
    new Uint8Array([2]),
    new Uint8Array([1, 2]).subarray(1, 1),
  ];
  expect(new Set(others.map(valueDigest)).size).toBe(others.length);
  expect(valueDigest('x')).toMatch(/^[\w-]{43}$/);
});

it('is undefined for what is not JSON', () => {
  const round: { self?: unknown } = {};
  round.self = round;
  for (const value of [undefined, () => 'x', { id: 1n }, round]) expect(valueDigest(value)).toBeUndefined();
});
