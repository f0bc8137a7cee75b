import type { InboundMessage } from '@molecule-ai/protocol';
import type { ClientPort } from '../client/client-port.ts';
import type { InboundPage } from '../client/inbound-page.ts';
import type { UnreadRow } from '../errors/api-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';

/** Accepts the messages of a delivery. */
export interface DeliveryInbox {
  /** Read after this row; `null` for everything not yet acknowledged. */
  readonly position: string | null;
  /** When a message was finished last, on the monotonic clock, in milliseconds; `null` if none was. */
  readonly lastFinishedAt: number | null;
  /** Resolves when more messages may be accepted, with their number, at least 1. */
  waitForCapacity(signal: AbortSignal): Promise<number>;
  /**
   * Accepts one message from another source than the feed. Returns false if it is a copy, or says what a call has returned; safe to
   * call twice with the same message. Each call, also with a copy, counts as activity of the delivery.
   */
  accept(message: InboundMessage): boolean;
  /**
   * Accepts a page of the feed and moves the position past it. Returns the number of new messages. Each call, also with
   * an empty page, counts as activity of the delivery.
   */
  acceptPage(page: InboundPage): number;
  /**
   * Reports that the feed is larger than the client reads at once. The agent is degraded with `feed-too-large` until a
   * page is accepted.
   */
  tooLarge(error: unknown): void;
  /**
   * Sets a row aside that cannot be read, and moves the position past it: a dead letter without a message, and `failed`
   * for its sender.
   */
  setAside(row: UnreadRow, error: unknown): Promise<void>;
  /** Whether the message and all before it were finished: older rows of the feed need not be read. */
  isBehind(message: InboundMessage): boolean;
  /** Clears the position, also in the store, because the platform no longer knows it. */
  cursorLost(error: unknown): Promise<void>;
}

export interface DeliveryContext {
  readonly client: Pick<ClientPort, 'capabilities' | 'fetchInboundPage'>;
  readonly inbox: DeliveryInbox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  /** The `reconnectSpreadMs` of the agent. */
  readonly reconnectSpreadMs: number;
}

/** How an agent learns of canceled messages: by reads that the platform holds, or by one at each interval. */
export type ControlReads = { readonly waitSeconds: number } | { readonly intervalMs: number };

/**
 * Transfers messages from the platform to the agent. The inbox handles order, copies, retries and acknowledgements, so
 * a custom implementation only passes messages to it.
 */
export interface InboundDelivery {
  /** For logs. */
  readonly name: string;
  /**
   * Longest expected time between two calls of `accept` or `acceptPage`, in milliseconds. After three times this
   * without a call, the agent is degraded with `inbound-stale`. A source that calls only when a message arrives sets
   * `Infinity`: its silence is then never reported.
   */
  readonly expectedSilenceMs: number;
  /**
   * How cancellations are read while messages are in progress; `null` where they are pushed, and need no reading.
   * @default reads that are held for 25 s
   */
  readonly controlReads?: ControlReads | null | undefined;
  /**
   * Whether the acknowledged position is not sent at present, because messages before it may still be on another way to
   * this agent. @default false
   */
  readonly isPositionHeld?: boolean | undefined;
  /** Delivers until the signal aborts, then returns or rejects with its reason. Must survive outages. */
  run(context: DeliveryContext, signal: AbortSignal): Promise<void>;
}

const RESTART_AFTER_MS = 5_000;

/** Runs a delivery until the signal aborts; one that fails or ends is started again after 5 s. Never rejects. */
export async function keepDelivering(
  delivery: InboundDelivery,
  context: DeliveryContext,
  signal: AbortSignal,
): Promise<void> {
  const { client, inbox, clock, logger, random, reconnectSpreadMs } = context;
  while (!signal.aborted) {
    try {
      await delivery.run({ client, inbox, clock, logger, random, reconnectSpreadMs }, signal);
      if (!signal.aborted)
        logger.error({ delivery: delivery.name }, 'The delivery ended unexpectedly; it is restarted.');
    } catch (error) {
      if (signal.aborted) return;
      logger.error({ error, delivery: delivery.name }, 'The delivery failed; it is restarted.');
    }
    await clock.sleep(RESTART_AFTER_MS, { signal }).catch(() => {});
  }
}
