import { describe, expect, it } from 'vitest';
import { LazyMap } from './lazy-map.ts';
import { LazySet } from './lazy-set.ts';

describe('LazyMap', () => {
  it('is empty before its first entry, and stays so when entries are removed', () => {
    const map = new LazyMap<string, number>();
    map.clear();
    expect(map.delete('a')).toBe(false);
    expect([map.size, map.get('a'), map.has('a')]).toEqual([0, undefined, false]);
    expect([...map, ...map.keys(), ...map.values()]).toEqual([]);
  });

  it('is a Map from then on, in the order of insertion', () => {
    const map = new LazyMap<string, number>([['b', 1]]).set('a', 2).set('c', 3);
    expect([...map]).toEqual([
      ['b', 1],
      ['a', 2],
      ['c', 3],
    ]);
    expect([map.size, map.get('a'), map.has('c')]).toEqual([3, 2, true]);
    expect(map.delete('b')).toBe(true);
    expect([...map.keys()]).toEqual(['a', 'c']);
    expect([...map.values()]).toEqual([2, 3]);
    map.clear();
    expect(map.size).toBe(0);
  });
});

describe('LazySet', () => {
  it('is empty before its first value, and stays so when values are removed', () => {
    const set = new LazySet<string>();
    set.clear();
    expect(set.delete('a')).toBe(false);
    expect([set.size, set.has('a'), [...set]]).toEqual([0, false, []]);
  });

  it('is a Set from then on, in the order of insertion', () => {
    const set = new LazySet(['b']).add('a').add('b');
    expect([set.size, set.has('a'), [...set]]).toEqual([2, true, ['b', 'a']]);
    expect(set.delete('b')).toBe(true);
    expect([...set]).toEqual(['a']);
    set.clear();
    expect(set.size).toBe(0);
  });
});
