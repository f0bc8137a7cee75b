import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../../client/inbound-page.ts';
import type { PlatformClient } from '../../client/platform-client.ts';
import type { Logger } from '../../logging/logger.ts';
import type { RandomSource } from '../../time/backoff.ts';
import type { Clock } from '../../time/clock.ts';

/** Where a message stands in the feed. */
export interface FeedPosition {
  /** The platform's order; `null` where it numbers nothing: then the order of arrival counts. */
  readonly seq: number | null;
}

/** Where a delivery hands in what it received. */
export interface DeliveryInbox {
  /** After which row to continue; `null` asks for everything not yet acknowledged. */
  readonly position: string | null;
  /** Waits until more messages may come in; resolves with how many, at least 1. */
  room(signal: AbortSignal): Promise<number>;
  /**
   * Takes in one message; false when it is known already. Safe to call twice with the same one.
   * @param position Where it stands in the feed; `null` for a message that did not come from there.
   */
  accept(message: InboundMessage, position: FeedPosition | null): boolean;
  /** Takes in a page of the feed and moves the position past it. Returns how many of its messages were new. */
  acceptPage(page: InboundPage): number;
  /** The platform no longer knows the position: it is forgotten, in the store as well. */
  cursorLost(error: unknown): Promise<void>;
}

/** What a delivery works with. */
export interface DeliveryContext {
  readonly client: Pick<PlatformClient, 'fetchInboundPage'>;
  readonly inbox: DeliveryInbox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
}

/**
 * How messages get from the platform to the agent. An implementation of your own only moves messages: order, copies,
 * retries and acknowledgements are the inbox's work.
 */
export interface InboundDelivery {
  /** For logs. */
  readonly name: string;
  /** Longest silence that is normal, in milliseconds; the watch for half-dead connections multiplies it. */
  readonly expectedSilenceMs: number;
  /** Delivers until the signal aborts and then returns or rejects with its reason; survives every outage. */
  run(context: DeliveryContext, signal: AbortSignal): Promise<void>;
}
