import { describe, expect, it } from 'vitest';
import { startInbound } from '../../../test/inbound-stage.ts';
import { inboundMessage } from '../../../test/memory-feed.ts';
import { MessageDedupe } from './message-dedupe.ts';

describe('MessageDedupe', () => {
  it('remembers the latest finished messages, up to its capacity', () => {
    const dedupe = new MessageDedupe(['a', 'b', 'c'], 2);
    expect([...dedupe.finishedKeys]).toEqual(['b', 'c']);
    const message = inboundMessage({ id: 'd', messageId: '' });
    expect([dedupe.begin(message), dedupe.begin(message)]).toEqual(['new', 'copy-of-pending']);
    expect(dedupe.finish(message)).toEqual({ rows: ['d', 'd'], keys: ['d'] });
    expect(dedupe.finish(message)).toBeUndefined();
    expect(dedupe.begin(message)).toBe('copy-of-finished');
    expect([...dedupe.finishedKeys]).toEqual(['c', 'd']);
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
