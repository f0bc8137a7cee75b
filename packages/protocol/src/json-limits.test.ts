import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exceededJsonLimit, JSON_LIMITS } from './json-limits.ts';

const { nodes, depth } = JSON_LIMITS;
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

function countNodes(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, child) => sum + countNodes(child), 1);
}

describe('the limits of JSON before it is parsed', () => {
  it.each([
    ['a list', (count: number) => JSON.stringify(Array(count - 1).fill(0))],
    [
      'an object',
      (count: number) =>
        JSON.stringify(Object.fromEntries(Array.from({ length: count - 1 }, (_, i) => [`k${i}`, '']))),
    ],
    [
      'empty lists and objects',
      (count: number) =>
        `[${Array(count - 1)
          .fill('[ ]')
          .join(', ')
          .replaceAll('[ ], [', '{\n}, [')}]`,
    ],
    ['strings full of structure', (count: number) => JSON.stringify(Array(count - 1).fill('"{[,]}\\'))],
  ])('are exact for %s', (_name, of) => {
    expect(countNodes(JSON.parse(of(nodes)))).toBe(nodes);
    expect(exceededJsonLimit(of(nodes))).toBeUndefined();
    expect(exceededJsonLimit(of(nodes + 1))).toBe('nodes');
  });

  it('are exact for the depth, and siblings do not add up', () => {
    expect(exceededJsonLimit(nested(depth))).toBeUndefined();
    expect(exceededJsonLimit(nested(depth + 1))).toBe('depth');
    expect(
      exceededJsonLimit(
        `[${Array(100)
          .fill(nested(depth - 1))
          .join()}]`,
      ),
    ).toBeUndefined();
    expect(exceededJsonLimit(JSON.stringify(nested(10_000)))).toBeUndefined();
  });

  it('count any JSON like a walk over the parsed value', () => {
    const filler = Array(nodes - 8).fill(0);
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(0, 1, 2), (json, spaces) => {
        const value: unknown = [JSON.parse(json), filler];
        const text = JSON.stringify(value, null, spaces);
        expect(exceededJsonLimit(text)).toBe(countNodes(value) > nodes ? 'nodes' : undefined);
      }),
      { numRuns: 30, seed: 1 },
    );
  });

  it('accept whatever is not JSON without failing', () => {
    for (const text of ['', '"', '"\\', ']]]]', '{"a', 'null', '\ud800']) {
      expect(exceededJsonLimit(text)).toBeUndefined();
    }
  });
});
