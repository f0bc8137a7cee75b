import { expect, it } from 'vitest';
import { startInbound } from '../../test/inbound-stage.ts';
import { inboundMessage } from '../../test/memory-feed.ts';
import { PollDelivery } from './deliveries.ts';
import type { DeliveryInbox, InboundDelivery } from './delivery.ts';

it('a message that did not come from the feed is handled once, even if the feed contains it as well, and does not move the position', async () => {
  const inboxes: DeliveryInbox[] = [];
  const delivery: InboundDelivery = {
    name: 'both',
    expectedSilenceMs: 60_000,
    run: (context, signal) => {
      inboxes.push(context.inbox);
      return new PollDelivery({ intervalMs: 1_000 }).run(context, signal);
    },
  };
  const run = await startInbound({ delivery });
  const message = inboundMessage({ id: 'row-1', seq: 1 });
  expect(inboxes[0]?.accept(message)).toBe(true);
  expect(inboxes[0]?.accept(message)).toBe(false);
  await run.advance();
  expect([run.handled, run.inbound.health().acknowledged]).toEqual([['row-1'], null]);
  run.feed.push({ id: 'row-1' });
  run.feed.push({ id: 'row-2' });
  await run.advance(5_000);
  expect(run.inbound.health().acknowledged).toBe('row-2');
  expect(run.handled).toEqual(['row-1', 'row-2']);
  await startInbound({ store: run.store, feed: run.feed, delivery });
  expect(inboxes[1]?.accept(message)).toBe(false);
});
