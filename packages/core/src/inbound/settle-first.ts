import type { InboundMessage } from '@molecule-ai/protocol';
import { backoffDelayMs, type RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import type { AckSender } from './ack-sender.ts';
import type { Inbox } from './inbox.ts';

/** What {@link settleFirst} needs. */
export interface SettleFirstOptions {
  readonly inbox: Inbox;
  readonly acks: AckSender;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/**
 * For at most once: marks a message as finished before it is handled, and resolves when that is certain to survive
 * a crash — it is on disk, or the platform took an acknowledgement that covers it. Until then the message waits.
 * Rejects with the signal's reason.
 */
export async function settleFirst(
  options: SettleFirstOptions,
  message: InboundMessage,
  signal: AbortSignal,
): Promise<void> {
  const { inbox, acks, clock, random } = options;
  let isOnDisk = await inbox.finish(message);
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    if (isOnDisk) return;
    await acks.flush(signal);
    if (!inbox.isOpen(message.id) && acks.isUpToDate) return;
    await clock.sleep(backoffDelayMs(attempt, {}, random), { signal });
    isOnDisk = await inbox.save();
  }
}
