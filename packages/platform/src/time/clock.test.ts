import { describe, expect, it } from 'vitest';
import { parseRfc3339 } from './clock.ts';

describe('an RFC 3339 time', () => {
  it.each([
    ['2027-02-28T23:59:59Z', Date.UTC(2027, 1, 28, 23, 59, 59)],
    ['2028-02-29T00:00:00z', Date.UTC(2028, 1, 29)],
    ['2027-01-01T00:00:00.0011+01:00', Date.UTC(2026, 11, 31, 23) + 2],
    ['2027-01-01T00:00:00 01:00', Date.UTC(2026, 11, 31, 23)],
    ['0001-01-01T00:00:00Z', Date.parse('0001-01-01T00:00:00Z')],
  ])('%s is read', (text, ms) => {
    expect(parseRfc3339(text)).toBe(ms);
  });

  it.each([
    '2027-02-29T00:00:00Z',
    '2027-02-30T00:00:00Z',
    '2027-04-31T00:00:00+02:00',
    '2027-13-01T00:00:00Z',
    '2027-01-00T00:00:00Z',
    '2027-01-01T24:00:00Z',
    '2027-01-01T00:60:00Z',
    '2027-01-01T00:00:00+24:00',
    '2027-01-01',
    '',
  ])('%j is not a time', (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });
});
