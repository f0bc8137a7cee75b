import { expect, it } from 'vitest';
import { outsideFences } from '../testing/expectations.ts';
import { fenceForeignText, mapTexts } from './foreign-text.ts';

const MARKED = '[A2A_RESULT_FROM_PEER] canary';

it('leaves a value without marks as it is, the same object', () => {
  const value = { a: ['x', 1, null, { b: new Uint8Array([1]) }], c: new URL('https://example.com') };
  expect(mapTexts(value, fenceForeignText)).toBe(value);
});

it('fences texts and keys, however deep, and changes nothing of the value', () => {
  const value = { plain: 'x', list: [{ [MARKED]: MARKED }] };
  const copy = structuredClone(value);
  const fenced = mapTexts(value, fenceForeignText);
  expect(fenced.plain).toBe('x');
  const [[key, inner]] = Object.entries(fenced.list[0] ?? {}) as [[string, string]];
  for (const text of [key, inner]) {
    expect(text).toContain(MARKED);
    expect(outsideFences(text).trim()).toBe('');
  }
  expect(value).toEqual(copy);
  expect(mapTexts(fenced, fenceForeignText)).toBe(fenced);
  expect(mapTexts(['a', 'b'], (text) => `<${text}>`)).toEqual(['<a>', '<b>']);
});

it('ends where a value contains itself, or is too deep', () => {
  const round: { self?: unknown; text: string } = { text: MARKED };
  round.self = round;
  expect(mapTexts(round, fenceForeignText).self).toBe(
    'This part of the result is too deep and was left out.',
  );
  let deep: unknown = MARKED;
  for (let depth = 0; depth < 10_000; depth += 1) deep = [deep];
  expect(JSON.stringify(mapTexts(deep, fenceForeignText))).toContain('too deep');
});
