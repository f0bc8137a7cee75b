import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { systemClock } from '../time/clock.ts';
import { HeldReads } from './held-reads.ts';

const ORIGIN = 'http://platform.test';
const clock = new ManualClock();

/** Readers that share turns, as clients of one process do. */
function readers(count: number, most: number, origin = ORIGIN): HeldReads[] {
  return Array.from(
    { length: count },
    () => new HeldReads({ platformOrigin: origin, maxHeldReads: most, clock, isShared: true }),
  );
}

describe('HeldReads', () => {
  it('gives each reader a turn, whoever asks first', () => {
    const all = readers(5, 2);
    const turns = new Map(all.map((reader) => [reader, 0]));
    const held: [HeldReads, () => void][] = [];
    for (let round = 0; round < 50; round += 1) {
      // The first readers always ask first.
      for (const reader of all) {
        if (held.some(([holder]) => holder === reader)) continue;
        const end = reader.take('feed');
        if (end === null) continue;
        turns.set(reader, (turns.get(reader) ?? 0) + 1);
        held.push([reader, end]);
      }
      expect(held).toHaveLength(2);
      held.shift()?.[1]();
    }
    for (const count of turns.values()) expect(count).toBeGreaterThanOrEqual(9);
    for (const [, end] of held) end();
    for (const reader of all) reader.close();
  });

  it('counts control reads too, for each platform apart', () => {
    const [one, two] = readers(2, 1);
    const [other] = readers(1, 1, 'http://other.test');
    const end = one?.take('control');
    expect(end).toBeTypeOf('function');
    expect(two?.take('feed')).toBeNull();
    const ends = [end, other?.take('feed')];
    for (const each of ends) each?.();
    expect(end?.()).toBeUndefined();
    const next = two?.take('feed');
    expect(next).toBeTypeOf('function');
    expect(one?.take('feed')).toBeNull();
    next?.();
    for (const each of [one, two, other]) each?.close();
  });

  it('keeps no place for those who closed or have not asked for a minute', async () => {
    const [holder, closed, silent, patient] = readers(4, 1);
    const end = holder?.take('feed');
    for (const reader of [closed, silent, patient]) expect(reader?.take('feed')).toBeNull();
    closed?.close();
    await clock.advance(60_001);
    expect(patient?.take('feed')).toBeNull();
    end?.();
    expect(patient?.take('feed')).toBeTypeOf('function');
  });

  it('is not shared where it must not be', () => {
    const own = () =>
      new HeldReads({ platformOrigin: ORIGIN, maxHeldReads: 1, clock: systemClock, isShared: false });
    for (const each of [own(), own()]) expect(each.take('feed')).toBeTypeOf('function');
  });
});
