import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { orderedId } from './feed-writer.ts';

describe('an ordered id', () => {
  it('is a UUID of version 7, later ones greater, none twice', () => {
    const clock = new ManualClock();
    const ids = Array.from({ length: 50 }, () => {
      clock.advance(1);
      return orderedId(clock.now());
    });
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(Array.from({ length: 1_000 }, () => orderedId(clock.now()))).size).toBe(1_000);
  });
});
