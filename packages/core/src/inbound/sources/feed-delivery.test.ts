import { describe, expect, it } from 'vitest';
import { type InboundRun, startInbound } from '../../../test/inbound-stage.ts';
import { inboundMessage } from '../../../test/memory-feed.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { PageTooLargeError, type UnreadRow } from '../../errors/page-too-large-error.ts';
import { replayRecords } from '../stores/inbound-records.ts';
import { chooseDelivery, LongPollDelivery, PollDelivery } from './feed-delivery.ts';
import type { InboundDelivery } from './message-source.ts';

const away = (retryAfterMs?: number) =>
  new MoleculeError('Away.', { code: 'platform_unavailable', isRetryable: true, retryAfterMs });

const waits = (run: InboundRun) => run.feed.queries.map((query) => query.waitSecs ?? 0);

const tooLarge = (limit: number, firstRow: UnreadRow | null = null) => {
  const where = { status: 200, method: 'GET', path: '/workspaces/self/activity' };
  return new PageTooLargeError('Too large.', { ...where, limit, firstRow });
};
const unread = (id: string, seq: number | null): UnreadRow => ({
  id,
  seq,
  messageId: `m-${id}`,
  sourceId: 'p',
});

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
    expect(run.observed.filter((event) => event === 'tooLarge')).toHaveLength(2);
    expect(run.clock.monotonic()).toBe(0);
  });

  it('set a single row aside that cannot be read: failed for its sender, and kept as a dead letter', async () => {
    const run = await start([tooLarge(8), tooLarge(4), tooLarge(2), tooLarge(1, unread('row-1', 1))], 3);
    await run.advance(5_000);
    expect(run.handled).toEqual(['row-2', 'row-3']);
    expect(run.observed).toContain('setAside:row-1');
    expect(run.feed.outcomes.flat()).toContainEqual({
      activityId: 'row-1',
      outcome: 'failed',
      error: { message: 'The message is too large for the agent to read.', code: 'response_too_large' },
    });
    expect(run.inbound.deadLetters.list()).toMatchObject([
      {
        activityId: 'row-1',
        messageId: 'm-row-1',
        attempts: 0,
        errorCode: 'response_too_large',
        message: null,
      },
    ]);
    expect(run.feed.acks.at(-1)).toBe('row-3');
    expect(run.feed.coveredWithoutOutcome).toEqual([]);
    await expect(run.inbound.deadLetters.replay('row-1')).rejects.toMatchObject({ code: 'not_found' });
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

  it('reads without waiting first, then with its wait time repeatedly', async () => {
    const run = await start(true);
    await run.advance();
    expect(waits(run)).toEqual([0, 20]);
    await run.advance(19_999);
    expect(waits(run)).toEqual([0, 20]);
    await run.advance(1);
    expect(waits(run)).toEqual([0, 20, 20]);
  });

  it('delivers a message as soon as it arrives', async () => {
    const run = await start(true);
    await run.advance(7_000);
    run.feed.push({ id: 'row-1' });
    await run.advance();
    expect(run.handled).toEqual(['row-1']);
    expect(run.feed.acks).toEqual(['row-1']);
    expect(run.feed.queries.at(-1)).toMatchObject({ sinceId: 'row-1', waitSecs: 20 });
  });

  it('reads without a pause while there are more pages', async () => {
    const run = await start(true, 7);
    await run.advance();
    expect(run.handled).toHaveLength(7);
    expect(run.clock.monotonic()).toBe(0);
  });

  it('polls at the interval if requests are not held, without a pause while there are more pages', async () => {
    const run = await start(false, 5);
    await run.advance();
    expect(run.handled).toHaveLength(5);
    await run.advance(60_000);
    const before = run.feed.queries.length;
    await run.advance(50_000);
    expect(run.feed.queries.length - before).toBe(10);
    expect(run.logger.messages('info')).toEqual([
      'The platform does not hold requests: polling at an interval.',
    ]);
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

  it('ends immediately when suspended during a wait, and continues when opened', async () => {
    const run = await start(true);
    await run.advance(3_000);
    await run.inbound.suspend();
    const reads = run.feed.queries.length;
    run.feed.push({ id: 'row-1' });
    await run.advance(600_000);
    expect(run.feed.queries).toHaveLength(reads);
    run.inbound.open();
    await run.advance();
    expect(run.handled).toEqual(['row-1']);
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
  it('reads at its interval, without a pause while there are more pages', async () => {
    const run = await startInbound({ delivery: new PollDelivery({ intervalMs: 3_000, pageLimit: 2 }) });
    await run.advance();
    expect(run.feed.queries).toHaveLength(1);
    run.feed.pushMany(5);
    await run.advance(2_999);
    expect(run.handled).toEqual([]);
    await run.advance(1);
    expect(run.handled).toHaveLength(5);
    expect(run.feed.queries).toHaveLength(1 + 3);
    await run.advance(60_000);
    const before = run.feed.queries.length;
    await run.advance(9_000);
    expect(run.feed.queries.length - before).toBe(3);
    expect(waits(run).every((wait) => wait === 0)).toBe(true);
  });

  it('reads less often while no message arrives, if configured', async () => {
    const run = await startInbound({
      delivery: new PollDelivery({ intervalMs: 4_000, maxIdleIntervalMs: 9_000 }),
    });
    await run.advance(60_000);
    expect(run.clock.sleeps.slice(0, 3)).toEqual([6_000, 9_000, 9_000]);
    run.feed.push({ id: 'row-1' });
    await run.advance(9_000);
    expect(run.clock.sleeps.at(-1)).toBe(1_000);
    await run.advance(60_000);
    expect(run.clock.sleeps.slice(-5)).toEqual([1_000, 6_000, 9_000, 9_000, 9_000]);
  });

  it('survives an outage', async () => {
    const run = await startInbound();
    run.feed.fetchFailures.push(...Array.from({ length: 20 }, () => away()));
    run.feed.push({ id: 'row-1' });
    await run.advance(3_600_000);
    expect(run.handled).toEqual(['row-1']);
  });

  it.each([
    { intervalMs: 999 },
    { intervalMs: Number.NaN },
    { maxIdleIntervalMs: 10 },
    { pageLimit: 0 },
    { pageLimit: 501 },
  ])('refuses %j', (options) => {
    expect(() => new PollDelivery(options)).toThrow(
      expect.objectContaining({ code: 'configuration_invalid' }),
    );
  });
});

describe('the position', () => {
  it('moves past a page without messages', async () => {
    const run = await startInbound({ delivery: new PollDelivery({ pageLimit: 2 }) });
    for (const id of ['note-1', 'note-2', 'note-3', 'note-4']) run.feed.push({ id }, false);
    run.feed.push({ id: 'row-5' });
    await run.advance(5_000);
    expect(run.handled).toEqual(['row-5']);
    expect(run.feed.acks.at(-1)).toBe('row-5');
  });

  it('is not acknowledged past an unfinished message by rows that are not messages', async () => {
    const run = await startInbound({ handler: () => new Promise(() => {}) });
    run.feed.push({ id: 'row-1' });
    run.feed.push({ id: 'note-2' }, false);
    await run.advance(10_000);
    expect(run.feed.acks).toEqual([]);
    expect(run.feed.queries.at(-1)?.sinceId).toBe('note-2');
  });

  it('lost: reported once, cleared on disk; finished messages are not handled again', async () => {
    const run = await startInbound();
    run.feed.pushMany(3);
    await run.advance(5_000);
    expect(run.handled).toEqual(['row-1', 'row-2', 'row-3']);
    await run.inbound.suspend();
    run.feed.forgotten.add('row-3');
    // The platform was restored from an older backup.
    run.feed.acknowledgedSeq = 1;
    run.feed.queries.length = 0;
    run.inbound.open();
    await run.advance();
    expect(run.observed.filter((event) => event === 'cursorLost')).toHaveLength(1);
    expect(replayRecords(await run.store.load()).acknowledged).toBeNull();
    run.feed.forgotten.clear();
    run.feed.push({ id: 'row-4' });
    await run.advance(5_000);
    const after = run.feed.queries.filter((query) => query.unacknowledged === true);
    expect(after).toHaveLength(1);
    expect(run.handled).toEqual(['row-1', 'row-2', 'row-3', 'row-4']);
    expect(run.observed.filter((event) => event === 'cursorLost')).toHaveLength(1);
    expect(run.feed.acks.at(-1)).toBe('row-4');
  });

  it('lost while messages are pending: they are neither lost nor started twice', async () => {
    const ends: (() => void)[] = [];
    const run = await startInbound({
      concurrency: 3,
      handler: () => new Promise<void>((resolve) => ends.push(resolve)),
    });
    run.feed.pushMany(3);
    await run.advance(1_000);
    run.feed.forgotten.add('row-3');
    await run.advance(5_000);
    for (const end of ends) end();
    await run.advance(5_000);
    expect(run.handled).toEqual(['row-1', 'row-2', 'row-3']);
    expect(run.feed.acks).toEqual(['row-3']);
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

  it('is selected by name, or a custom one', () => {
    expect(chooseDelivery().name).toBe('long-poll');
    expect(chooseDelivery('long-poll').name).toBe('long-poll');
    expect(chooseDelivery('poll').name).toBe('poll');
    const own = new PollDelivery();
    expect(chooseDelivery(own)).toBe(own);
    expect(() => chooseDelivery('carrier' as never)).toThrow(
      expect.objectContaining({ code: 'configuration_invalid' }),
    );
  });
});

describe('the stale watch', () => {
  it('counts a message accepted without a page', async () => {
    const delivery: InboundDelivery = {
      name: 'own',
      expectedSilenceMs: 10_000,
      run: async ({ inbox, clock }, signal) => {
        for (let n = 1; ; n += 1) {
          inbox.accept(inboundMessage({ id: `own-${Math.min(n, 3)}` }), null);
          await clock.sleep(20_000, { signal });
        }
      },
    };
    const run = await startInbound({ delivery });
    await run.advance(600_000);
    expect(run.handled).toEqual(['own-1', 'own-2', 'own-3']);
    expect(run.observed).not.toContain('stale');
    expect(run.inbound.lastReadAt).toBeGreaterThan(run.clock.now() - 30_000);
    run.kill();
  });

  it('never reports a delivery that expects any silence', async () => {
    const delivery: InboundDelivery = {
      name: 'own',
      expectedSilenceMs: Number.POSITIVE_INFINITY,
      run: () => new Promise(() => {}),
    };
    const run = await startInbound({ delivery });
    await run.advance(24 * 3_600_000);
    expect(run.observed).toEqual([]);
    expect(run.clock.pending).toBe(0);
    run.kill();
  });

  it('reports once that nothing was read', async () => {
    const run = await startInbound({ delivery: new PollDelivery({ intervalMs: 5_000 }) });
    await run.advance(1_000);
    run.feed.fetchInboundPage = () => new Promise(() => {});
    await run.advance(58_000);
    expect(run.observed).toEqual([]);
    await run.advance(200_000);
    expect(run.observed).toEqual(['stale']);
    run.kill();
  });

  it('reports nothing while the agent has no capacity to read', async () => {
    const run = await startInbound({ readAhead: 1, handler: () => new Promise(() => {}) });
    run.feed.pushMany(2);
    await run.advance(600_000);
    expect(run.handled).toEqual(['row-1']);
    expect(run.observed).not.toContain('stale');
    run.kill();
  });

  it('reports the recovery, and nothing while suspended', async () => {
    const run = await startInbound({ delivery: new PollDelivery({ intervalMs: 5_000 }) });
    run.feed.fetchFailures.push(...Array.from({ length: 10 }, () => away()));
    await run.advance(600_000);
    expect(run.observed).toEqual(['stale', 'fresh']);
    await run.inbound.suspend();
    await run.advance(600_000);
    expect(run.observed).toEqual(['stale', 'fresh']);
    expect(run.inbound.lastReadAt).toBeLessThanOrEqual(run.clock.now() - 600_000);
  });
});
