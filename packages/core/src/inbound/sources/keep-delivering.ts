import type { DeliveryContext, InboundDelivery } from './message-source.ts';

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
