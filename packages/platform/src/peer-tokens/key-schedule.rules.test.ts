import { expect, it } from 'vitest';
import { nextKey, OVERLAP_MS, publishedKeys, SIGNS_FOR_MS, signingKey } from './key-schedule.rules.ts';

const NOW = Date.UTC(2026, 10, 21);
const MINUTE_MS = 60_000;
/** A verifier, and what is between it and the platform, may keep the keys for so long. */
const CACHED_MS = 5 * MINUTE_MS;
const TOKEN_MS = 5 * MINUTE_MS;

const key = (startsAt: number, canSign = true) => ({ startsAt, canSign });

it('the first key is made at once and signs at once', () => {
  expect(nextKey([], NOW)).toEqual({ dueAt: NOW, startsAt: NOW });
  expect(nextKey([key(NOW - 1, false)], NOW)).toEqual({ dueAt: NOW, startsAt: NOW });
});

it('in days of use a copy of the keys of five minutes ago verifies every token that is valid', () => {
  const keys: { startsAt: number; canSign: boolean }[] = [];
  const copies: { at: number; keys: Set<object> }[] = [];
  const refused: number[] = [];
  const tokens: { at: number; key: object | undefined }[] = [];
  for (let now = NOW; now < NOW + 3 * SIGNS_FOR_MS; now += MINUTE_MS) {
    const next = nextKey(keys, now);
    if (next.dueAt <= now) keys.push(key(next.startsAt));
    tokens.push({ at: now, key: signingKey(keys, now) });
    copies.push({ at: now, keys: new Set(publishedKeys(keys, now)) });
    const copy = copies.find(({ at }) => at >= now - CACHED_MS)?.keys;
    const valid = tokens.filter(({ at }) => at > now - TOKEN_MS);
    if (valid.some((token) => token.key === undefined || copy?.has(token.key) !== true)) refused.push(now);
    tokens.splice(0, Math.max(0, tokens.length - 20));
    copies.splice(0, Math.max(0, copies.length - 20));
  }
  expect(refused).toEqual([]);
  expect(keys).toHaveLength(4);
});

it('after a long time without use the old key signs until the new one is known', () => {
  const old = key(NOW);
  const now = NOW + 9 * SIGNS_FOR_MS;
  const { dueAt, startsAt } = nextKey([old], now);
  expect(dueAt).toBeLessThan(now);
  expect(startsAt).toBe(now + OVERLAP_MS);
  const keys = [old, key(startsAt)];
  expect(signingKey(keys, now)).toBe(old);
  expect(publishedKeys(keys, now)).toEqual(keys);
  expect(signingKey(keys, startsAt)).toBe(keys[1]);
  expect(publishedKeys(keys, startsAt + OVERLAP_MS)).toEqual([keys[1]]);
});

it('a clock that was set back neither stops the signing nor puts the next key off', () => {
  const keys = [key(NOW), key(NOW + 40 * SIGNS_FOR_MS)];
  expect(signingKey(keys, NOW - MINUTE_MS)).toBe(keys[0]);
  expect(nextKey(keys, NOW)).toEqual({ dueAt: NOW, startsAt: NOW + OVERLAP_MS });
  expect(nextKey([key(NOW + OVERLAP_MS)], NOW).dueAt).toBeGreaterThan(NOW);
});

it('a key that cannot sign is published until one that can has taken over', () => {
  const keys = [key(NOW, false), key(NOW + MINUTE_MS)];
  expect(signingKey(keys, NOW)).toBe(keys[1]);
  expect(publishedKeys(keys, NOW + MINUTE_MS)).toEqual(keys);
  expect(publishedKeys(keys, NOW + MINUTE_MS + OVERLAP_MS)).toEqual([keys[1]]);
});
