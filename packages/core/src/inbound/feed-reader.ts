import type { InboundPage } from '../client/inbound-page.ts';
import { CursorLostError } from '../errors/cursor-lost-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { backoffDelayMs } from '../time/backoff.ts';
import type { DeliveryContext } from './inbound-delivery.ts';

const RETRY = { baseMs: 1_000, factor: 2, maxMs: 24_000, jitter: 0.25 } as const;
const LONGEST_RETRY_MS = 30_000;

/** What one reading brought. `isProgress`: the position moved, so it is worth reading on at once. */
export type FeedReading =
  | { readonly kind: 'page'; readonly page: InboundPage; readonly isProgress: boolean }
  | { readonly kind: 'lost' }
  | { readonly kind: 'failed'; readonly retryMs: number };

/** Reads the feed page by page into the inbox; tells failures once per outage. */
export class FeedReader {
  readonly #context: DeliveryContext;
  readonly #pageLimit: number;
  #failures = 0;

  constructor(context: DeliveryContext, pageLimit: number) {
    this.#context = context;
    this.#pageLimit = pageLimit;
  }

  /** Rejects only with the signal's reason. */
  async read(waitSecs: number, signal: AbortSignal): Promise<FeedReading> {
    const { inbox, port } = this.#context;
    const room = await inbox.room(signal);
    const position = inbox.position;
    try {
      const page = await port.fetchInboundPage({
        ...(position === null ? { unacknowledged: true } : { sinceId: position }),
        limit: Math.max(1, Math.min(room, this.#pageLimit)),
        ...(waitSecs > 0 ? { waitSecs } : {}),
        signal,
      });
      signal.throwIfAborted();
      this.#succeeded();
      const fresh = inbox.accept(page);
      return { kind: 'page', page, isProgress: fresh > 0 || inbox.position !== position };
    } catch (error) {
      signal.throwIfAborted();
      if (!CursorLostError.isInstance(error)) return this.#failed(error);
      await inbox.cursorLost(error);
      return { kind: 'lost' };
    }
  }

  #succeeded(): void {
    if (this.#failures > 0) this.#context.logger.info({}, 'The inbound feed can be read again.');
    this.#failures = 0;
  }

  #failed(error: unknown): FeedReading {
    const { logger, random } = this.#context;
    this.#failures += 1;
    if (this.#failures === 1) logger.warn({ error }, 'The inbound feed cannot be read; it is tried again.');
    const asked = MoleculeError.isInstance(error) ? (error.retryAfterMs ?? 0) : 0;
    const retryMs = Math.min(
      Math.max(backoffDelayMs(this.#failures, RETRY, random), asked),
      LONGEST_RETRY_MS,
    );
    return { kind: 'failed', retryMs };
  }
}
