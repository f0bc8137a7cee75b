import type { DeliveryContext, InboundDelivery } from './message-source.ts';
import { InboundPageReader } from './page-reader.ts';

const PAGE_LIMIT = 100;

/**
 * The platform pushes each message to the agent's URL, also what it stored while nothing could be pushed. A platform without
 * acknowledgements may not: there that is read from the feed once. Elsewhere nothing is read, because a message on the feed may be
 * under way to another replica of this agent.
 */
export class PushDelivery implements InboundDelivery {
  readonly name = 'push';
  /** Nothing comes while nobody writes. */
  readonly expectedSilenceMs = Number.POSITIVE_INFINITY;
  /** Cancellations are pushed as well. */
  readonly controlReads = null;

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    if (!context.client.capabilities.has('acknowledge')) await readStored(context, signal);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

async function readStored(context: DeliveryContext, signal: AbortSignal): Promise<void> {
  const reads = { pageLimit: PAGE_LIMIT, sinceSecs: undefined, isUnacknowledgedOnly: true };
  const reader = new InboundPageReader(context, reads);
  for (let isBehind = true; isBehind; ) {
    const reading = await reader.read(0, signal);
    if (reading.kind === 'page') isBehind = reading.page.hasMore;
    else await context.clock.sleep(reading.retryMs, { signal });
  }
}
