import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFolder } from '../../test/resources-of-test.ts';
import * as testing from '../testing.ts';
import { watchCryptography } from './cryptography.ts';
import { ManualClock } from './manual-clock.ts';

describe('a manual clock', () => {
  it('runs timers in the order in which they are due, and each once', async () => {
    const clock = new ManualClock(1_000);
    const ran: string[] = [];
    const note = (name: string) => () => void ran.push(`${name} at ${clock.now()}`);
    clock.schedule(20, note('second'));
    clock.schedule(10, note('first'));
    clock.schedule(20, note('third'));
    clock.setTimer(30, note('fourth'));
    clock.schedule(-5, note('zeroth'));
    await clock.advance(25);
    expect(ran).toEqual(['zeroth at 1000', 'first at 1010', 'second at 1020', 'third at 1020']);
    expect([clock.now(), clock.monotonic(), clock.pending]).toEqual([1_025, 25, 1]);
    await clock.advance(1_000);
    expect(ran.slice(4)).toEqual(['fourth at 1030']);
  });

  it('runs no timer that was cancelled, also by another one at the same moment', async () => {
    const clock = new ManualClock();
    let ran = 0;
    const cancels = Array.from({ length: 50 }, (_, at) => clock.schedule(at % 7, () => void ran++));
    const timer = clock.setTimer(7, () => void ran++);
    clock.schedule(6, () => timer.cancel());
    for (const cancel of cancels.filter((_, at) => at % 2 === 0)) cancel();
    cancels[0]?.();
    await clock.advance(100);
    expect([ran, clock.pending]).toEqual([25, 0]);
  });

  it('lets what a timer starts end before the next one', async () => {
    const clock = new ManualClock();
    const file = join(openFolder(), 'file');
    const steps: string[] = [];
    clock.schedule(1, () => {
      void (async () => {
        for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        await writeFile(file, 'text');
        await clock.sleep(5);
        steps.push(`slept until ${clock.monotonic()}`);
      })();
    });
    clock.schedule(2, () => void steps.push(`second at ${clock.monotonic()}`));
    clock.schedule(7, () => void steps.push(`third at ${clock.monotonic()}`));
    await clock.advance(10);
    expect(steps).toEqual(['second at 2', 'slept until 6', 'third at 7']);
  });

  it('lets cryptography end, which other threads do', async () => {
    const before = crypto.subtle.digest;
    const ends = [watchCryptography(), watchCryptography()];
    const clock = new ManualClock();
    const steps: string[] = [];
    const hash = async () => {
      // Long enough to outlast the turns without activity.
      for (let round = 0; round < 3; round += 1)
        await crypto.subtle.digest('SHA-512', new Uint8Array(2_000_000));
      await expect(crypto.subtle.digest('none', new Uint8Array(1))).rejects.toThrow();
      steps.push('hashed');
    };
    clock.schedule(1, () => void hash());
    clock.schedule(2, () => void steps.push('later'));
    await clock.advance(10);
    expect(steps).toEqual(['hashed', 'later']);
    ends[0]?.();
    ends[0]?.();
    expect(crypto.subtle.digest).not.toBe(before);
    ends[1]?.();
    expect(crypto.subtle.digest).toBe(before);
  });

  it('ends a sleep with its signal', async () => {
    const clock = new ManualClock();
    const ending = new AbortController();
    const asleep = clock.sleep(10, { signal: ending.signal });
    ending.abort(new Error('enough'));
    await expect(asleep).rejects.toThrow('enough');
    await expect(clock.sleep(10, { signal: ending.signal })).rejects.toThrow('enough');
    expect(clock.pending).toBe(0);
  });

  it('runs overlapping calls one after the other', async () => {
    const clock = new ManualClock();
    const at: number[] = [];
    clock.schedule(15, () => void at.push(clock.monotonic()));
    await Promise.all([clock.advance(10), clock.advance(10), clock.settle()]);
    expect([...at, clock.monotonic()]).toEqual([15, 20]);
  });

  it('moves on until a promise has settled, and no further', async () => {
    const clock = new ManualClock();
    const later = async (ms: number, end: () => string) => {
      await clock.sleep(ms);
      return end();
    };
    expect(await clock.advanceUntilSettled(later(4_500, () => 'done'))).toBe('done');
    expect(clock.monotonic()).toBe(5_000);
    const failing = later(10, () => {
      throw new Error('failed');
    });
    await expect(clock.advanceUntilSettled(failing, { stepMs: 10 })).rejects.toThrow('failed');
    expect(clock.monotonic()).toBe(5_010);
    expect(await clock.advanceUntilSettled(Promise.resolve('at once'))).toBe('at once');
    expect(clock.monotonic()).toBe(5_010);
    const never = new Promise(() => {});
    await expect(clock.advanceUntilSettled(never, { limitMs: 2_000 })).rejects.toThrow(
      'does not hold after 2 s',
    );
  });

  it('jumps without running timers', async () => {
    const clock = new ManualClock(0);
    let ran = false;
    clock.schedule(1, () => {
      ran = true;
    });
    clock.jump(-3_600_000);
    await clock.settle();
    expect([clock.now(), clock.monotonic(), ran]).toEqual([-3_600_000, 0, false]);
  });

  it('advances until a condition holds, and not for ever', async () => {
    const clock = new ManualClock();
    await clock.advanceUntil(() => clock.monotonic() >= 2_500);
    expect(clock.monotonic()).toBe(3_000);
    const never = clock.advanceUntil(() => false, { stepMs: 10, limitMs: 50 });
    await expect(never).rejects.toThrow('0.05 s of the manual clock');
    expect(clock.monotonic()).toBe(3_050);
  });

  it('reports what goes on without end, and times that are none', async () => {
    const clock = new ManualClock();
    let isStopped = false;
    const busy = () => {
      clock.noteActivity();
      if (!isStopped) setImmediate(busy);
    };
    busy();
    await expect(clock.settle()).rejects.toThrow('without end');
    isStopped = true;
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(clock.advance(ms)).rejects.toThrow(RangeError);
    }
    await clock.advance(1);
  });
});

it('the entry for tests exports exactly these names', () => {
  expect(Object.keys(testing).sort()).toEqual(['ManualClock', 'createTestPlatform']);
});
