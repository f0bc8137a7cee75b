import { describe, expect, it } from 'vitest';
import { OTHER } from '../../../test/agent-ids.ts';
import { startInbound } from '../../../test/inbound-stage.ts';
import { inboundMessage } from '../../../test/memory-feed.ts';
import { MessageDedupe, messageKey } from './message-dedupe.ts';

describe('MessageDedupe', () => {
  it('remembers the latest finished rows, up to their limit', () => {
    const dedupe = new MessageDedupe(['a', 'b', 'c'], { rows: 2, keys: 2 });
    expect(dedupe.finishedKeys).toEqual(['b', 'c']);
    const message = inboundMessage({ id: 'd', messageId: '' });
    expect([dedupe.begin(message), dedupe.begin(message)]).toEqual(['new', 'copy-of-pending']);
    expect(dedupe.finish(message)).toEqual({ rows: ['d', 'd'], keys: ['d'] });
    expect(dedupe.finish(message)).toBeUndefined();
    expect(dedupe.begin(message)).toBe('copy-of-finished');
    expect(dedupe.finishedKeys).toEqual(['c', 'd']);
  });

  it('knows a message by its sender and its id, whatever else it says; a cancellation is another one', () => {
    const key = messageKey(inboundMessage({ id: 'a', messageId: 'm' }));
    const same = [{ inReplyTo: 'q' }, { method: 'delegate_task' }, { text: 'other' }];
    for (const change of same) {
      expect(messageKey(inboundMessage({ id: 'b', messageId: 'm', ...change }))).toBe(key);
    }
    for (const change of [{ sourceId: OTHER }, { method: 'cancel_task' }, { messageId: 'n' }]) {
      expect(messageKey(inboundMessage({ id: 'b', messageId: 'm', ...change }))).not.toBe(key);
    }
  });

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
