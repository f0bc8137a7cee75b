import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { backoffDelayMs, parseRetryAfter, ReconnectDelays, reconnectDelayMs } from './backoff.ts';
import { systemClock } from './clock.ts';

describe('backoffDelayMs', () => {
  it('doubles to the limit, ±25 %', () => {
    const centre = (retry: number) => backoffDelayMs(retry, () => 0.5);
    expect([1, 2, 3, 4, 5, 6, 7].map(centre)).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    expect(backoffDelayMs(2, () => 0)).toBe(1500);
    expect(backoffDelayMs(2, () => 0.999999)).toBe(2500);
  });
});

describe('reconnectDelayMs', () => {
  const delays = (share: number, reconnectSpreadMs: number, error: unknown = null) =>
    [1, 2, 3, 4, 5, 6].map((failures) =>
      reconnectDelayMs(failures, error, { reconnectSpreadMs, random: () => share }),
    );
  const failure = (code: 'platform_unavailable' | 'rate_limited', retryAfterMs: number) =>
    new ApiError('Later.', { status: 503, code, method: 'GET', path: '/', retryAfterMs });

  it('takes the whole of a window that grows to 15–30 s', () => {
    expect(delays(0, 1_000)).toEqual([0, 1_000, 2_000, 4_000, 8_000, 15_000]);
    expect(delays(1, 1_000)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
    expect(delays(0, 15_000)).toEqual([0, 15_000, 15_000, 15_000, 15_000, 15_000]);
    expect(delays(1, 15_000)).toEqual([15_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
  });

  it('spreads those that were asked to come later, unless the limit is that of one workspace', () => {
    expect(delays(0.5, 15_000, failure('platform_unavailable', 4_000))[0]).toBe(11_500);
    expect(delays(0.5, 15_000, failure('platform_unavailable', 600_000))[0]).toBe(37_500);
    expect(delays(0.1, 15_000, failure('rate_limited', 4_000))[0]).toBe(4_000);
  });
});

describe('ReconnectDelays', () => {
  const policy = (share: number, reconnectSpreadMs = 15_000) => ({ reconnectSpreadMs, random: () => share });
  const response = (
    status: number,
    code: 'platform_error' | 'platform_unavailable' | 'unexpected_response',
    more: { isWebPage?: boolean; retryAfterMs?: number } = {},
  ) => new ApiError('Broken.', { status, code, method: 'GET', path: '/', ...more });

  it.each([
    ['an internal error', response(500, 'platform_error')],
    ['a body that cannot be read', response(200, 'unexpected_response')],
  ])('one response that is broken, %s, is followed by a read within a second', (_name, error) => {
    const delays = new ReconnectDelays();
    expect(delays.next(error, policy(0.5))).toBe(500);
    expect([1, 2, 3].map(() => delays.next(error, policy(1)))).toEqual([15_000, 30_000, 30_000]);
    delays.succeeded();
    expect(delays.next(error, policy(1))).toBe(1_000);
    delays.succeeded();
    expect(delays.next(error, policy(1, 600))).toBe(600);
  });

  it.each([
    [
      'a connection that broke',
      new ConnectionError('Reset.', { origin: 'http://p', delivered: 'unknown', isRetryable: true }),
    ],
    ['a time limit', new TimeoutError('Late.', { timeoutMs: 1, delivered: 'unknown' })],
    ['a gateway', response(502, 'platform_unavailable')],
    ['a gateway without its origin', response(521, 'platform_error')],
    ['a platform that shuts down', response(503, 'platform_unavailable', { retryAfterMs: 1_000 })],
    ['a web page', response(200, 'unexpected_response', { isWebPage: true })],
  ])('what all agents may have at once, %s, is spread', (_name, error) => {
    const delays = new ReconnectDelays();
    expect(delays.next(error, policy(1))).toBeGreaterThanOrEqual(15_000);
    expect(delays.next(response(500, 'platform_error'), policy(0))).toBe(15_000);
  });
});

describe('parseRetryAfter', () => {
  const now = Date.UTC(2026, 0, 1, 12, 0, 0);

  it.each([
    ['7', 7000],
    [' 5 ', 5000],
    ['2.7', 3000],
    ['0.2', 1000],
    ['120', 120000],
    ['Thu, 01 Jan 2026 12:00:30 GMT', 30000],
    ['Thursday, 01-Jan-26 12:00:30 GMT', 30000],
    ['Thu Jan  1 12:00:30 2026', 30000],
  ])('reads %j', (header, expected) => expect(parseRetryAfter(header, now)).toBe(expected));

  it.each([
    '0',
    '0.0',
    '-1',
    '-0.5',
    '',
    'abc',
    'nan',
    'inf',
    '1e9',
    '0x10',
    '5, 6',
    '+5',
    'Thu, 01 Jan 2026 11:00:00 GMT',
    '2026-01-01',
    'Jan 2027',
    null,
    undefined,
  ])('treats %j as missing', (header) => expect(parseRetryAfter(header, now)).toBeUndefined());
});

describe('systemClock', () => {
  it('sleeps, and an abort ends the sleep immediately', async () => {
    await systemClock.sleep(1);
    const abort = new AbortController();
    const sleeping = systemClock.sleep(60_000, { signal: abort.signal });
    abort.abort('stop');
    await expect(sleeping).rejects.toBe('stop');
  });

  // In a process of its own, where nothing else wakes the event loop.
  it('runs a timer before the next event', async () => {
    const clock = new URL('./clock.ts', import.meta.url).href;
    const program = `
      import { systemClock } from ${JSON.stringify(clock)};
      const nextAt = systemClock.monotonic() + 6_000;
      const next = setTimeout(() => {}, 6_000);
      systemClock.setTimer(100, () => {
        console.log(systemClock.monotonic() < nextAt ? 'before' : 'with the next event');
        clearTimeout(next);
      });
    `;
    const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program];
    expect((await promisify(execFile)(process.execPath, options)).stdout).toBe('before\n');
  });
});
