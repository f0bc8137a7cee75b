import type { WithAgents } from './context.ts';
import { readFeed, showRows } from './evidence.ts';

/** How often test-lab handled each of these messages, by its log, and answered it, by its feed. */
export async function checkOnce(context: WithAgents, messageIds: readonly string[]): Promise<void> {
  const { lab } = context;
  const { timeline, checks } = context.run;
  const handled = lab.logged('handling');
  for (const { pid, messageId, text } of handled) {
    if (messageIds.includes(String(messageId))) {
      timeline.line('log', lab.name, `process ${pid} handles: ${text}`);
    }
  }
  const feed = await readFeed(context, lab);
  showRows(
    context,
    feed.filter(({ messageId, inReplyTo }) => [messageId, inReplyTo].some((id) => messageIds.includes(id))),
  );

  const counts = messageIds.map((id) => ({
    handled: handled.filter(({ messageId }) => messageId === id).length,
    answered: feed.filter(({ direction, inReplyTo }) => direction === 'out' && inReplyTo === id).length,
  }));
  const isOnce = counts.every((count) => count.handled === 1 && count.answered === 1);
  checks.record('once', isOnce, () =>
    counts.map((count) => `handled ${count.handled}×, answered ${count.answered}×`).join('; '),
  );
}
