import type { Capability } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { HeldHandlers, type InboundRun, startInbound } from '../../test/inbound-stage.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { LongPollDelivery } from './deliveries.ts';
import type { InboundDelivery } from './delivery.ts';

const away = (retryAfterMs?: number) =>
  new MoleculeError('Away.', { code: 'platform_unavailable', isRetryable: true, retryAfterMs });

async function start(
  options: {
    delivery?: InboundDelivery;
    holds?: boolean;
    capabilities?: readonly Capability[];
    concurrency?: number;
  } = {},
) {
  const held = new HeldHandlers();
  const { delivery = new LongPollDelivery({ waitSeconds: 20 }), concurrency = 3 } = options;
  const { holds = true, capabilities = ['cancel'] } = options;
  const run = await startInbound({
    delivery,
    concurrency,
    handler: held.handler,
    prepare: ({ feed }) => {
      feed.holds = holds;
      feed.capabilities = new Set(capabilities);
    },
  });
  await run.advance();
  return { run, held };
}

const reads = ({ feed }: InboundRun) => feed.controlQueries.length;

describe('reading control rows by long-poll', () => {
  it('does not run a message that was canceled while its row was on the way', async () => {
    const { run } = await start();
    run.feed.pushMany(1);
    await run.advance(500);
    run.feed.cancel('row-2');
    await run.advance();
    run.feed.pushMany(1);
    await run.advance();
    expect(run.handled).toEqual(['row-1']);
    expect(run.observed).toContain('cancelled:row-2');
  });

  it('does not flood a platform that does not hold the read', async () => {
    const { run, held } = await start({ holds: false });
    run.feed.pushMany(1);
    await run.advance(20_500);
    expect(reads(run)).toBeLessThanOrEqual(5);
    run.feed.cancel('row-1');
    await run.advance(5_000);
    expect(held.signals.get('row-1')?.aborted).toBe(true);
  });
});

describe('a platform that cannot be read', () => {
  it('is retried with growing pauses, and reported once after five minutes', async () => {
    const { run, held } = await start();
    run.feed.controlFailures.push(...Array.from({ length: 100 }, () => away()));
    run.feed.pushMany(1);
    await run.advance(500);
    // After 1, 3, 6 and 12 s.
    await run.advance(22_000);
    expect(reads(run)).toBe(5);
    await run.advance(270_000);
    expect(run.logger.messages('warn')).toEqual([]);
    await run.advance(600_000);
    expect(run.logger.messages('warn')).toHaveLength(1);
    run.feed.controlFailures.length = 0;
    run.feed.cancel('row-1');
    await run.advance(30_000);
    expect(held.signals.get('row-1')?.aborted).toBe(true);
    expect(run.logger.messages('warn').join()).toContain('can be read again');
  });

  it('is not asked again before its Retry-After', async () => {
    const { run } = await start();
    run.feed.controlFailures.push(away(20_000));
    run.feed.pushMany(1);
    await run.advance(500);
    await run.advance(20_000);
    expect(reads(run)).toBe(1);
    await run.advance(1_000);
    expect(reads(run)).toBe(2);
  });
});
