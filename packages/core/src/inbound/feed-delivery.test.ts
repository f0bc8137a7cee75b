import { describe, expect, it } from 'vitest';
import { startInbound } from '../../test/inbound-stage.ts';
import { PageTooLargeError, type UnreadRow } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { LongPollDelivery, PollDelivery } from './deliveries.ts';
import type { InboundDelivery } from './delivery.ts';

const away = (retryAfterMs?: number) =>
  new MoleculeError('Away.', { code: 'platform_unavailable', isRetryable: true, retryAfterMs });

const tooLarge = (limit: number, firstRow: UnreadRow | null = null) => {
  const where = { status: 200, method: 'GET', path: '/workspaces/self/activity' };
  return new PageTooLargeError('Too large.', { ...where, limit, firstRow });
};

describe('pages that are too large', () => {
  const start = (failures: PageTooLargeError[], rows = 6) =>
    startInbound({
      delivery: new LongPollDelivery({ pageLimit: 8 }),
      prepare: ({ feed }) => {
        feed.capabilities = new Set(['acknowledge', 'outcomes']);
        feed.holds = true;
        feed.pushMany(rows);
        feed.fetchFailures.push(...failures);
      },
    });

  it('are read with half as many rows at once, without a pause', async () => {
    const run = await start([tooLarge(8), tooLarge(4)]);
    await run.advance();
    expect(run.feed.queries.map(({ limit }) => limit)).toEqual([8, 4, 2, 3, 4, 8]);
    expect(run.handled).toHaveLength(6);
    expect(run.observed.filter((event) => event === 'degraded:feed-too-large')).toHaveLength(2);
    expect(run.clock.monotonic()).toBe(0);
  });

  it('are retried with a pause when the row is unknown', async () => {
    const run = await start([tooLarge(8), tooLarge(4), tooLarge(2), tooLarge(1)], 1);
    await run.advance();
    expect(run.handled).toEqual([]);
    await run.advance(2_000);
    expect(run.handled).toEqual(['row-1']);
  });
});

describe('LongPollDelivery', () => {
  const start = (holds: boolean, rows = 0) =>
    startInbound({
      delivery: new LongPollDelivery({ waitSeconds: 20, pageLimit: 2 }),
      prepare: ({ feed }) => {
        feed.holds = holds;
        feed.pushMany(rows);
      },
    });

  it('long-polls again once the platform holds requests', async () => {
    const run = await start(false);
    await run.advance(20_000);
    run.feed.holds = true;
    await run.advance(5_000);
    const before = run.feed.queries.length;
    await run.advance(60_000);
    expect(run.feed.queries.length - before).toBe(3);
    expect(run.logger.messages('info').at(-1)).toBe('The platform holds requests: long-polling.');
  });

  it('does not flood a platform that confirms the wait and responds immediately', async () => {
    const run = await start(true);
    run.feed.fetchInboundPage = async (query) => {
      run.feed.queries.push(query);
      const rows = { messages: [], rows: 0, skipped: 0, lastRowId: null, oldestRow: null };
      return { ...rows, hasMore: false, waitApplied: true };
    };
    await run.advance(30_000);
    expect(run.feed.queries.length).toBeLessThanOrEqual(32);
  });

  it('backs off to half a minute, retries without limit, and recovers', async () => {
    const run = await start(true);
    await run.advance();
    run.feed.fetchFailures.push(...Array.from({ length: 50 }, () => away()));
    await run.advance(20_000);
    const asleep = () => run.clock.sleeps.slice(0, 7);
    await run.advance(3_600_000);
    expect(asleep()).toEqual([1_000, 3_000, 6_000, 12_000, 22_500, 22_500, 22_500]);
    run.feed.push({ id: 'row-1' });
    await run.advance(24_000);
    expect(run.handled).toEqual(['row-1']);
    expect(run.logger.messages('warn')).toEqual([
      'The inbound feed cannot be read; retrying.',
      'The inbound feed can be read again.',
    ]);
  });

  it('waits for Retry-After, up to half a minute, and a part of the window', async () => {
    const run = await start(true);
    run.feed.fetchFailures.push(away(9_000), away(600_000));
    await run.advance(20_000);
    await run.advance(40_000);
    // Half of the window is added, so that agents which were sent away together do not come back together.
    expect(run.clock.sleeps.slice(0, 2)).toEqual([10_000, 31_000]);
  });

  it.each([{ waitSeconds: 0 }, { waitSeconds: 61 }, { waitSeconds: 1.5 }, { fallbackIntervalMs: 999 }])(
    'refuses %j',
    (options) => {
      expect(() => new LongPollDelivery(options)).toThrow(
        expect.objectContaining({ code: 'configuration_invalid' }),
      );
    },
  );
});

describe('PollDelivery', () => {
  it.each([{ intervalMs: 999 }, { intervalMs: Number.NaN }, { pageLimit: 0 }, { pageLimit: 501 }])(
    'refuses %j',
    (options) => {
      expect(() => new PollDelivery(options)).toThrow(
        expect.objectContaining({ code: 'configuration_invalid' }),
      );
    },
  );
});

describe('the position', () => {
  it('is not acknowledged past an unfinished message by rows that are not messages', async () => {
    const run = await startInbound({ handler: () => new Promise(() => {}) });
    run.feed.push({ id: 'row-1' });
    run.feed.push({ id: 'note-2' }, false);
    await run.advance(10_000);
    expect(run.feed.acks).toEqual([]);
    expect(run.feed.queries.at(-1)?.sinceId).toBe('note-2');
  });
});

describe('the delivery', () => {
  it('is restarted when it fails or ends unexpectedly', async () => {
    let runs = 0;
    const delivery: InboundDelivery = {
      name: 'own',
      expectedSilenceMs: 1_000,
      run: async () => {
        runs += 1;
        if (runs === 1) throw new Error('Broken.');
      },
    };
    const run = await startInbound({ delivery });
    await run.advance(10_000);
    expect(runs).toBe(3);
    expect(run.logger.messages('error')).toEqual([
      'The delivery failed; it is restarted.',
      'The delivery ended unexpectedly; it is restarted.',
      'The delivery ended unexpectedly; it is restarted.',
    ]);
  });
});
