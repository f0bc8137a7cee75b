import type { Capability } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { HeldHandlers, type InboundRun, startInbound } from '../../../test/inbound-stage.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { LongPollDelivery, PollDelivery } from './feed-delivery.ts';
import type { InboundDelivery } from './message-source.ts';

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
  it('aborts the handler of a canceled message, and only that one', async () => {
    const { run, held } = await start();
    run.feed.pushMany(2);
    await run.advance(500);
    expect(run.feed.controlQueries).toMatchObject([{ sinceSeq: 0, waitSecs: 20 }]);
    run.feed.cancel('row-2');
    await run.advance();
    expect(held.signals.get('row-2')?.reason).toMatchObject({ code: 'cancelled_by_sender' });
    expect(held.signals.get('row-1')?.aborted).toBe(false);
    held.finish('row-2', 'too late');
    held.finish('row-1', 'in time');
    await run.advance();
    expect(run.observed).toContain('cancelled:row-2');
    expect(run.feed.replies.map((reply) => reply.id)).toEqual(['row-1']);
    expect(run.feed.controlQueries.at(-1)).toMatchObject({ sinceSeq: 1 });
  });

  it('costs nothing for handlers that end within 500 ms', async () => {
    const { run, held } = await start();
    for (let round = 1; round <= 3; round += 1) {
      run.feed.pushMany(1);
      await run.advance(499);
      held.finish(`row-${round}`);
      await run.advance(10_000);
    }
    expect(reads(run)).toBe(0);
  });

  it('ends with the last message in progress, and starts again with the next', async () => {
    const { run, held } = await start();
    run.feed.pushMany(1);
    await run.advance(45_000);
    const { signal } = run.feed.controlQueries.at(-1) ?? {};
    expect(reads(run)).toBe(3);
    held.finish('row-1');
    await run.advance();
    expect(signal?.aborted).toBe(true);
    await run.advance(100_000);
    expect(reads(run)).toBe(3);
    run.feed.pushMany(1);
    await run.advance(500);
    expect(reads(run)).toBe(4);
  });

  it('ends while the agent is suspended, and with it', async () => {
    const { run } = await start();
    run.feed.pushMany(1);
    await run.advance(500);
    const suspended = run.inbound.suspend();
    await run.advance();
    await suspended;
    expect(run.feed.controlQueries[0]?.signal?.aborted).toBe(true);
    await run.advance(60_000);
    expect(reads(run)).toBe(1);
    run.inbound.open();
    await run.advance(500);
    expect(reads(run)).toBe(2);
    run.inbound.close();
    await run.advance(60_000);
    expect(reads(run)).toBe(2);
  });

  it('finishes a message that waits for a slot, without running it and without waiting for the slot', async () => {
    const { run, held } = await start({ concurrency: 1 });
    run.feed.pushMany(2);
    await run.advance(500);
    run.feed.cancel('row-2');
    await run.advance();
    expect(run.observed).toContain('cancelled:row-2');
    expect(held.running).toEqual(['row-1']);
    held.finish('row-1');
    await run.advance();
    expect(run.handled).toEqual(['row-1']);
    expect(run.feed.acks.at(-1)).toBe('row-2');
  });

  it('finishes a message that waits for its next attempt, although no handler runs', async () => {
    const { run, held } = await start();
    run.feed.pushMany(1);
    await run.advance();
    held.fail('row-1');
    await run.advance(1_000);
    held.fail('row-1');
    await run.advance(500);
    run.feed.cancel('row-1');
    await run.advance();
    expect(run.observed).toContain('cancelled:row-1');
    await run.advance(100_000);
    expect(run.handled).toEqual(['row-1', 'row-1']);
    expect(run.feed.acks).toEqual(['row-1']);
  });

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

  it('sends nothing to a platform without the capability, and starts when it is offered', async () => {
    const { run } = await start({ capabilities: ['outcomes'] });
    run.feed.pushMany(1);
    await run.advance(60_000);
    expect(reads(run)).toBe(0);
    run.feed.capabilities = new Set(['cancel']);
    run.feed.pushMany(1);
    await run.advance(500);
    expect(reads(run)).toBe(1);
    run.feed.capabilities = new Set();
    await run.advance(100_000);
    expect(reads(run)).toBe(1);
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

describe('reading control rows by poll', () => {
  it('happens once per interval while a message is in progress', async () => {
    const { run, held } = await start({ delivery: new PollDelivery({ intervalMs: 5_000 }) });
    run.feed.pushMany(1);
    await run.advance(5_000);
    expect(reads(run)).toBe(0);
    await run.advance(5_000);
    expect(run.feed.controlQueries).toMatchObject([{ sinceSeq: 0 }]);
    expect(run.feed.controlQueries[0]).not.toHaveProperty('waitSecs');
    run.feed.cancel('row-1');
    await run.advance(4_999);
    expect(held.signals.get('row-1')?.aborted).toBe(false);
    await run.advance(1);
    expect(held.signals.get('row-1')?.aborted).toBe(true);
    held.finish('row-1', 'too late');
    await run.advance(60_000);
    expect(run.feed.replies).toEqual([]);
    expect(reads(run)).toBe(2);
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
