import { readFeed, showRows } from './evidence.ts';
import type { FullPlay } from './play.ts';

/** How often ops-desk handled each of these messages, by its log, and answered it, by its feed. */
export async function examineOnce(play: FullPlay, messageIds: readonly string[]): Promise<void> {
  const { timeline, checks, desk } = play;
  const handled = desk.actor.log.about('handling');
  for (const { pid, messageId, text } of handled) {
    if (messageIds.includes(String(messageId))) {
      timeline.line('log', desk.name, `process ${pid} handles: ${text}`);
    }
  }
  const feed = await readFeed(play, desk);
  showRows(
    play,
    feed.filter(({ messageId, inReplyTo }) => [messageId, inReplyTo].some((id) => messageIds.includes(id))),
  );

  const counts = messageIds.map((id) => ({
    handled: handled.filter(({ messageId }) => messageId === id).length,
    answered: feed.filter(({ direction, inReplyTo }) => direction === 'out' && inReplyTo === id).length,
  }));
  const isOnce = counts.every((count) => count.handled === 1 && count.answered === 1);
  checks.examine('once', isOnce, () =>
    counts.map((count) => `handled ${count.handled}×, answered ${count.answered}×`).join('; '),
  );
}
