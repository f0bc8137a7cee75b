import type { InboundPage } from '../client/inbound-page.ts';
import type { PlatformClient } from '../client/platform-client.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';

/** Where a delivery hands in what it received. */
export interface DeliveryInbox {
  /** After which row to continue; `null` asks for everything not yet acknowledged. */
  readonly position: string | null;
  /** Waits until more messages may come in and tells how many, at least 1. */
  room(signal: AbortSignal): Promise<number>;
  /** Takes over a page. Safe to call twice with the same rows. Returns how many messages were new. */
  accept(page: InboundPage): number;
  /** Says that the platform no longer knows the position; it is forgotten, on disk as well. */
  cursorLost(error: unknown): Promise<void>;
}

/** What a delivery works with. */
export interface DeliveryContext {
  readonly port: Pick<PlatformClient, 'fetchInboundPage'>;
  readonly inbox: DeliveryInbox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
}

/**
 * How messages get from the platform to the inbox. An implementation of your own only moves pages: order,
 * duplicates, retries and acknowledgements are the inbox's work.
 */
export interface InboundDelivery {
  /** For logs. */
  readonly name: string;
  /** Longest silence that is normal, in milliseconds; the watch for half-dead connections multiplies it. */
  readonly expectedSilenceMs: number;
  /** Delivers until the signal aborts and then returns or rejects with its reason; survives every outage. */
  run(context: DeliveryContext, signal: AbortSignal): Promise<void>;
}
