import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LatestMap } from './latest-map.ts';

/** The same, by rebuilding the list. */
class Listed {
  entries: [string, number][] = [];
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  set(key: string, value: number): void {
    this.entries = [...this.entries.filter(([other]) => other !== key), [key, value] as [string, number]];
    this.entries = this.entries.slice(-this.capacity);
  }

  delete(key: string): void {
    this.entries = this.entries.filter(([other]) => other !== key);
  }
}

it('keeps the latest entries in order, whatever is set and deleted', () => {
  const key = fc.integer({ min: 0, max: 12 }).map((n) => `k${n}`);
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ op: fc.constant('set' as const), key }) },
    fc.record({ op: fc.constant('delete' as const), key }),
    fc.record({ op: fc.constant('oldest' as const), key }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
      const map = new LatestMap<number>(capacity);
      const list = new Listed(capacity);
      for (const [index, { op, key }] of steps.entries()) {
        if (op === 'set') map.set(key, index);
        else if (op === 'delete') map.delete(key);
        else expect(map.deleteOldest()).toBe(list.entries[0]?.[1]);
        if (op === 'set') list.set(key, index);
        else if (op === 'delete') list.delete(key);
        else list.entries.shift();
        expect([...map.keys()]).toEqual(list.entries.map(([name]) => name));
        expect([...map.values()]).toEqual(list.entries.map(([, value]) => value));
        expect(map.size).toBe(list.entries.length);
        expect([map.get(key), map.has(key)]).toEqual([
          list.entries.find(([name]) => name === key)?.[1],
          list.entries.some(([name]) => name === key),
        ]);
      }
    }),
  );
});
