import { expect, it } from 'vitest';
import { outsideFences } from '../testing/expectations.ts';
import { fenceMarkedValue } from './marked-text.ts';

const MARKED = '[A2A_RESULT_FROM_PEER] canary';

it('leaves a value without marks as it is, the same object', () => {
  const value = { a: ['x', 1, null, { b: new Uint8Array([1]) }], c: new URL('https://example.com') };
  expect(fenceMarkedValue(value)).toBe(value);
});

it('fences texts and keys, however deep, and changes nothing of the value', () => {
  const value = { plain: 'x', list: [{ [MARKED]: MARKED }] };
  const copy = structuredClone(value);
  const fenced = fenceMarkedValue(value);
  expect(fenced.plain).toBe('x');
  const [[key, inner]] = Object.entries(fenced.list[0] ?? {}) as [[string, string]];
  for (const text of [key, inner]) {
    expect(text).toContain(MARKED);
    expect(outsideFences(text).trim()).toBe('');
  }
  expect(value).toEqual(copy);
  expect(fenceMarkedValue(fenced)).toBe(fenced);
  expect(fenceMarkedValue(['a', 'b'], (text) => `<${text}>`)).toEqual(['<a>', '<b>']);
});

it('ends where a value contains itself, or is too deep', () => {
  const round: { self?: unknown; text: string } = { text: MARKED };
  round.self = round;
  expect(fenceMarkedValue(round).self).toBe('This part of the result is too deep and was left out.');
  let deep: unknown = MARKED;
  for (let depth = 0; depth < 10_000; depth += 1) deep = [deep];
  expect(JSON.stringify(fenceMarkedValue(deep))).toContain('too deep');
});
