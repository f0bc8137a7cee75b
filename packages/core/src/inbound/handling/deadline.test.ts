import { describe, expect, it } from 'vitest';
import { HeldHandlers, startInbound } from '../../../test/inbound-stage.ts';
import { currentMessage } from '../../client/current-message.ts';

const within = (clock: { now(): number }, ms: number) => ({
  metadata: { deadline: new Date(clock.now() + ms).toISOString() },
});

describe('the deadline of a message', () => {
  it('aborts its handler, and the message is finished without an outcome', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ handler: held.handler });
    run.feed.push({ id: 'row-1', ...within(run.clock, 5_000) });
    await run.advance(1_000);
    expect(held.signals.get('row-1')?.aborted).toBe(false);
    await run.advance(4_000);
    expect(held.signals.get('row-1')?.reason).toMatchObject({ code: 'message_expired' });
    held.finish('row-1', 'too late');
    await run.advance();
    expect(run.observed).toContain('expired:row-1');
    expect(run.observed).not.toContain('succeeded:row-1');
    expect([run.feed.replies, run.feed.outcomes, run.feed.acks.at(-1)]).toEqual([[], [], 'row-1']);
  });

  it('that has passed before its turn is not handled', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ handler: held.handler });
    run.feed.push({ id: 'row-1' });
    run.feed.push({ id: 'row-2', ...within(run.clock, 5_000) });
    await run.advance(6_000);
    held.finish('row-1', 'done');
    await run.advance(1_000);
    expect(run.handled).toEqual(['row-1']);
    expect(run.observed).toContain('expired:row-2');
    expect(run.feed.acks.at(-1)).toBe('row-2');
  });

  it('does not concern a handler that ends in time, or a month ahead', async () => {
    const run = await startInbound({ handler: async () => 'done' });
    run.feed.push({ id: 'row-1', ...within(run.clock, 5_000) });
    run.feed.push({ id: 'row-2', ...within(run.clock, 40 * 24 * 3_600_000) });
    run.feed.push({ id: 'row-3', metadata: { deadline: 'soon' } });
    await run.advance(30_000);
    expect(run.feed.replies.map(({ id }) => id)).toEqual(['row-1', 'row-2', 'row-3']);
  });
});

describe('the current message', () => {
  it('is that of the handler, in each attempt', async () => {
    const seen: unknown[] = [];
    const run = await startInbound({
      concurrency: 2,
      handler: async (message) => {
        await Promise.resolve();
        const { activityId, attempt } = currentMessage() ?? {};
        seen.push([message.id, activityId, attempt]);
        if (attempt === 1 && message.id === 'row-1') throw new Error('Again.');
        return 'done';
      },
    });
    run.feed.push({ id: 'row-1', contextId: 'a' });
    run.feed.push({ id: 'row-2', contextId: 'b' });
    await run.advance(3_000);
    expect(seen).toEqual([
      ['row-1', 'row-1', 1],
      ['row-2', 'row-2', 1],
      ['row-1', 'row-1', 2],
    ]);
    expect(currentMessage()).toBeUndefined();
  });
});
