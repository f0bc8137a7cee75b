import { describe, expect, it } from 'vitest';
import { type ClaimingTest, isFullRun, judge } from './judge.ts';
import { printVerdict } from './print-verdict.ts';

const registry = { ids: ['a.one', 'a.two'], later: [{ what: 'a route', because: 'no route yet' }] };

function claim(claims: string[], state: ClaimingTest['state'] = 'passed', title = 'a test'): ClaimingTest {
  return { title, file: 'some.test.ts', state, claims };
}

describe('judge', () => {
  it('accepts a run in which every id is claimed by tests that all passed', () => {
    const verdict = judge(registry, [claim(['a.one', 'a.two']), claim(['a.two'])]);
    expect(verdict).toMatchObject({ ok: true, proven: ['a.one', 'a.two'], unclaimed: [] });
  });

  it('refuses an id that no test claims', () => {
    const verdict = judge(registry, [claim(['a.one'])]);
    expect(verdict).toMatchObject({ ok: false, unclaimed: ['a.two'], proven: ['a.one'] });
  });

  it('refuses a claim that the registry does not have', () => {
    const verdict = judge(registry, [claim(['a.one', 'a.two', 'a.three'])]);
    expect(verdict.ok).toBe(false);
    expect(verdict.unknown.map(({ id }) => id)).toEqual(['a.three']);
  });

  it.each(['failed', 'skipped', 'pending'] as const)('refuses a claiming test that %s', (state) => {
    const verdict = judge(registry, [claim(['a.one', 'a.two'], state)]);
    expect(verdict.ok).toBe(false);
    expect(verdict.unproven.map(({ id }) => id)).toEqual(['a.one', 'a.two']);
    expect(verdict.proven).toEqual([]);
  });

  it('takes an id for unproven as soon as one of its tests failed, whatever the others did', () => {
    const verdict = judge(registry, [claim(['a.one', 'a.two']), claim(['a.two'], 'failed')]);
    expect(verdict.proven).toEqual(['a.one']);
    expect(verdict.ok).toBe(false);
  });
});

describe('isFullRun', () => {
  const run = {
    filesIncluded: ['/a', '/b'],
    filesRun: ['/b', '/a', '/c'],
    pickedByName: false,
    interrupted: false,
  };

  it('is one when every file on disk ran, among others', () => {
    expect(isFullRun(run)).toBe(true);
  });

  it('is none when a file was left out, tests were picked by name, or the run broke off', () => {
    expect(isFullRun({ ...run, filesRun: ['/a'] })).toBe(false);
    expect(isFullRun({ ...run, pickedByName: true })).toBe(false);
    expect(isFullRun({ ...run, interrupted: true })).toBe(false);
    expect(isFullRun({ ...run, filesIncluded: [], filesRun: [] })).toBe(false);
  });
});

describe('printVerdict', () => {
  it('names each fault with the test it comes from, and what comes later', () => {
    const text = printVerdict(
      judge(registry, [claim(['a.one'], 'failed', 'boom'), claim(['a.three'], 'passed', 'ghost')]),
    );
    expect(text).toContain('0 of 2 behaviours proven');
    expect(text).toContain('No test claims:\n    a.two');
    expect(text).toContain('a.three  (some.test.ts > ghost)');
    expect(text).toContain('a.one  (failed: some.test.ts > boom)');
    expect(text).toContain('a route: no route yet');
  });
});
