import { describe, expect, it } from 'vitest';
import { startInbound } from '../../../test/inbound-stage.ts';
import { inboundMessage } from '../../../test/memory-feed.ts';
import { MessageDedupe } from './message-dedupe.ts';

describe('MessageDedupe', () => {
  it('forgets messages of those senders first who have most, also after a restart', () => {
    const limits = { rows: 2, keys: 300 };
    const finish = (dedupe: MessageDedupe, sourceId: string, count: number): void => {
      for (let n = 0; n < count; n += 1) {
        const message = inboundMessage({ id: `${sourceId} ${n}`, sourceId });
        dedupe.begin(message);
        dedupe.finish(message);
      }
    };
    const before = new MessageDedupe([], limits);
    finish(before, 'quiet', 90);
    const dedupe = new MessageDedupe(before.finishedKeys, limits);
    finish(dedupe, 'loud', 1_000);
    finish(dedupe, 'louder', 2_000);
    const knows = (sourceId: string, n: number): boolean =>
      dedupe.isFinishedCopy(inboundMessage({ id: `${sourceId} ${n}`, sourceId }));
    expect([knows('quiet', 0), knows('loud', 999), knows('louder', 1_999)]).toEqual([true, true, true]);
    expect([knows('loud', 0), knows('louder', 0)]).toEqual([false, false]);
    expect(dedupe.finishedKeys.length).toBeLessThanOrEqual(limits.keys * 1.01 + limits.rows);
    for (let n = 0; n < 1_000; n += 1) finish(dedupe, `sender ${n}`, 1);
    expect(dedupe.finishedKeys.length).toBeLessThanOrEqual(limits.keys * 1.01 + limits.rows);
    expect(knows('sender 999', 0)).toBe(true);
  });
});

describe('a message that did not come from the feed', () => {
  it('is handled once, even if the feed contains it as well, and does not move the position', async () => {
    const run = await startInbound();
    const message = inboundMessage({ id: 'row-1', seq: 1 });
    expect(run.inbound.inbox.accept(message, null)).toBe(true);
    expect(run.inbound.inbox.accept(message, null)).toBe(false);
    await run.advance();
    expect([run.handled, run.inbound.acknowledged]).toEqual([['row-1'], null]);
    run.feed.push({ id: 'row-1' });
    run.feed.push({ id: 'row-2' });
    await run.advance(5_000);
    expect(run.inbound.acknowledged).toBe('row-2');
    expect(run.handled).toEqual(['row-1', 'row-2']);
    const next = await startInbound({ store: run.store, feed: run.feed });
    expect(next.inbound.inbox.accept(message, null)).toBe(false);
  });
});
