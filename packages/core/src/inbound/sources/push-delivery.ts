import type { DeliveryContext, InboundDelivery } from './message-source.ts';
import { InboundPageReader } from './page-reader.ts';

const PAGE_LIMIT = 100;

/**
 * The platform pushes each message to the agent's URL. What was stored before, while nothing could be pushed, is read from
 * the feed once.
 */
export class PushDelivery implements InboundDelivery {
  readonly name = 'push';
  /** Nothing comes while nobody writes. */
  readonly expectedSilenceMs = Number.POSITIVE_INFINITY;
  /** Cancellations are pushed as well. */
  readonly controlReads = null;

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    const reads = { pageLimit: PAGE_LIMIT, sinceSecs: undefined, isUnacknowledgedOnly: true };
    const reader = new InboundPageReader(context, reads);
    for (let isBehind = true; isBehind; ) {
      const reading = await reader.read(0, signal);
      if (reading.kind === 'page') isBehind = reading.page.hasMore;
      else await context.clock.sleep(reading.retryMs, { signal });
    }
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
