import { describe, expect, it } from 'vitest';
import { HeldHandlers, type InboundRun, startInbound } from '../../../test/inbound-stage.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { LongPollDelivery, PollDelivery } from './feed-delivery.ts';

const limited = () =>
  new MoleculeError('Too many.', { code: 'rate_limited', isRetryable: true, retryAfterMs: 7_000 });

/** How many reads there are in the next `ms` milliseconds. */
async function readsWithin(run: InboundRun, ms: number): Promise<number> {
  const before = run.feed.queries.length;
  await run.advance(ms);
  return run.feed.queries.length - before;
}

describe.each([
  ['PollDelivery', () => new PollDelivery({ intervalMs: 10_000 })],
  ['LongPollDelivery without held requests', () => new LongPollDelivery({ fallbackIntervalMs: 10_000 })],
] as const)('%s', (_name, delivery) => {
  it('reads every second for 30 s after a message, then at its interval', async () => {
    const run = await startInbound({ delivery: delivery() });
    run.feed.push({ id: 'row-1' });
    await run.advance(20_000);
    expect(run.handled).toEqual(['row-1']);
    await run.advance(60_000);
    run.feed.push({ id: 'row-2' });
    while (run.handled.length < 2) await run.advance(1_000);
    expect(await readsWithin(run, 20_000)).toBe(20);
    run.feed.push({ id: 'row-3' });
    await run.advance(1_000);
    expect(run.handled).toHaveLength(3);
    expect(await readsWithin(run, 28_000)).toBe(28);
    await run.advance(2_000);
    expect(await readsWithin(run, 10_000)).toBe(1);
  });

  it('reads at its interval while a handler runs longer, and every second again after its end', async () => {
    const handlers = new HeldHandlers();
    const run = await startInbound({ delivery: delivery(), handler: handlers.handler });
    run.feed.push({ id: 'row-1' });
    await run.advance(80_000);
    expect(handlers.running).toEqual(['row-1']);
    expect(await readsWithin(run, 60_000)).toBeLessThanOrEqual(6);
    handlers.finish('row-1');
    await run.advance(20_000);
    expect(await readsWithin(run, 5_000)).toBe(5);
  });

  it('waits as long as the platform asks when it limits the rate, and reads at its interval for a minute', async () => {
    const run = await startInbound({ delivery: delivery() });
    run.feed.push({ id: 'row-1' });
    while (run.handled.length < 1) await run.advance(1_000);
    run.feed.fetchFailures.push(limited());
    await run.advance(1_000);
    expect(run.feed.fetchFailures).toEqual([]);
    expect(await readsWithin(run, 6_999)).toBe(0);
    expect(await readsWithin(run, 1)).toBe(1);
    run.feed.push({ id: 'row-2' });
    await run.advance(10_000);
    expect(run.handled).toHaveLength(2);
    expect(await readsWithin(run, 20_000)).toBe(2);
    expect(run.logger.messages('warn')).toEqual([
      'The platform limits the rate of requests; the inbound feed is read again later.',
      'The inbound feed can be read again.',
    ]);
  });
});
