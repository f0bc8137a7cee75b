import { describe, expect, it } from 'vitest';
import { unreachable } from '../../test/presence-double.ts';
import { ManualClock } from '../time/manual-clock.ts';
import { Alarm } from './alarm.ts';
import { describeFailure } from './describe-failure.ts';
import { ErrorRate } from './error-rate.ts';

describe('ErrorRate', () => {
  it('looks at the last five minutes', async () => {
    const clock = new ManualClock();
    const errors = new ErrorRate(clock);
    expect([errors.rate(), errors.sample()]).toEqual([0, '']);
    errors.failed(unreachable());
    await clock.advance(200_000);
    errors.succeeded();
    expect([errors.rate(), errors.sample()]).toEqual([0.5, 'ConnectionError connection_failed']);
    await clock.advance(100_000);
    expect([errors.rate(), errors.sample()]).toEqual([0, '']);
    errors.failed(new TypeError('quotes a message'));
    expect([errors.rate(), errors.sample()]).toEqual([0.5, 'TypeError']);
    await clock.advance(300_000);
    expect([errors.rate(), errors.sample()]).toEqual([0, '']);
  });

  it('keeps at most the last thousand', () => {
    const errors = new ErrorRate(new ManualClock());
    errors.failed('x');
    for (let count = 0; count < 1_000; count += 1) errors.succeeded();
    expect(errors.rate()).toBe(0);
  });
});

describe('describeFailure', () => {
  it('never tells what a message says', () => {
    const odd = Object.assign(new Error('the secret text'), {
      name: 'the secret text',
      code: 'also secret!',
    });
    expect(describeFailure(odd)).toBe('Error');
    expect(describeFailure('the secret text')).toBe('Error');
    expect(describeFailure(Object.assign(new Error('x'), { code: 'ECONNRESET' }))).toBe('Error ECONNRESET');
    expect(describeFailure(Object.assign(new Error('x'), { code: 'a'.repeat(61) }))).toBe('Error');
  });
});

describe('Alarm', () => {
  it('wakes a sleeper, keeps a ring for the next one, and leaves no timer', async () => {
    const clock = new ManualClock();
    const alarm = new Alarm(clock);
    const { signal } = new AbortController();
    alarm.ring();
    expect(await alarm.sleep(1_000, signal)).toBe(true);
    const asleep = alarm.sleep(1_000, signal);
    alarm.ring();
    alarm.ring();
    expect(await asleep).toBe(true);
    expect(clock.pending).toBe(0);
    const undisturbed = alarm.sleep(1_000, signal);
    await clock.advance(1_000);
    expect(await undisturbed).toBe(false);
    const late = alarm.sleep(-5, signal);
    await clock.advance(0);
    expect(await late).toBe(false);
  });

  it('rejects with the reason of its signal', async () => {
    const clock = new ManualClock();
    const alarm = new Alarm(clock);
    const abort = new AbortController();
    const asleep = alarm.sleep(1_000, abort.signal);
    abort.abort('enough');
    await expect(asleep).rejects.toBe('enough');
    await expect(alarm.sleep(1, abort.signal)).rejects.toBe('enough');
    expect(clock.pending).toBe(0);
  });
});
