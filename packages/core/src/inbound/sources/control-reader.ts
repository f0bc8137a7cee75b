import type { PlatformClient } from '../../client/platform-client.ts';
import type { Logger } from '../../logging/logger.ts';
import { type RandomSource, ReconnectDelays } from '../../time/backoff.ts';
import type { Clock } from '../../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../../time/linked-abort.ts';
import type { ControlReads } from './message-source.ts';

/** Handlers that end sooner cost no request. */
const OPEN_AFTER_MS = 500;
const HELD_READS: ControlReads = { waitSeconds: 25 };
/** A read that comes back sooner was not held by the platform. */
const SHORTEST_HELD_MS = 1_000;
const UNHELD_PAUSE_MS = 5_000;
const REPORT_FAILURE_AFTER_MS = 300_000;

export interface ControlReaderOptions {
  readonly client: Pick<PlatformClient, 'capabilities' | 'fetchCancellations'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  readonly reconnectSpreadMs: number;
  /** `null` reads nothing. @default reads that the platform holds for 25 s */
  readonly reads: ControlReads | null | undefined;
  /** The id of the row whose message was canceled. Must not throw. */
  readonly onCanceled: (activityId: string) => void;
}

/**
 * Reads which messages were canceled, while the agent has some in progress. Sends nothing to a platform without the
 * capability `cancel`. Failures are retried, and logged once when they last for five minutes: an agent that is not
 * notified works in vain, and nothing else.
 */
export class ControlReader {
  readonly #options: ControlReaderOptions;
  #session: LinkedAbort | undefined;
  /** Kept in memory only: after a restart the rows of the last hour are read again, and those of no message are ignored. */
  #sinceSeq = 0;
  readonly #delays = new ReconnectDelays();
  #failingSince: number | undefined;
  #isReported = false;

  constructor(options: ControlReaderOptions) {
    this.#options = options;
  }

  /** Reads until {@link stop}. Has no effect while it reads. */
  start(): void {
    if (this.#session !== undefined || this.#options.reads === null || !this.#isOffered) return;
    this.#session = linkAbort();
    // Rejects with the abort only.
    this.#run(this.#session.signal).catch(() => {});
  }

  stop(): void {
    this.#session?.abort();
    this.#session = undefined;
  }

  get #isOffered(): boolean {
    return this.#options.client.capabilities.has('cancel');
  }

  get #reads(): ControlReads {
    return this.#options.reads ?? HELD_READS;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const reads = this.#reads;
    let pauseMs = 'intervalMs' in reads ? reads.intervalMs : OPEN_AFTER_MS;
    for (;;) {
      if (pauseMs > 0) await clock.sleep(pauseMs, { signal, keepAlive: false });
      pauseMs = this.#isOffered ? await this.#read(signal) : UNHELD_PAUSE_MS;
    }
  }

  /** Returns the pause before the next read, in milliseconds. */
  async #read(signal: AbortSignal): Promise<number> {
    const { client, clock, onCanceled } = this.#options;
    const reads = this.#reads;
    const isHeld = 'waitSeconds' in reads;
    const sinceSeq = this.#sinceSeq;
    const startedAt = clock.monotonic();
    try {
      const query = {
        sinceSeq,
        ...(isHeld ? { waitSecs: reads.waitSeconds } : {}),
        isRetried: false,
        takesTurns: true,
        signal,
      };
      const { canceled, lastSeq } = await client.fetchCancellations(query);
      signal.throwIfAborted();
      this.#succeeded();
      this.#sinceSeq = lastSeq;
      for (const { activityId } of canceled) onCanceled(activityId);
      if (!isHeld) return reads.intervalMs;
      if (lastSeq > sinceSeq) return 0;
      return clock.monotonic() - startedAt < SHORTEST_HELD_MS ? UNHELD_PAUSE_MS : 0;
    } catch (error) {
      signal.throwIfAborted();
      return this.#failed(error);
    }
  }

  #succeeded(): void {
    if (this.#isReported) this.#options.logger.warn({}, 'Cancellations of messages can be read again.');
    this.#delays.succeeded();
    this.#failingSince = undefined;
    this.#isReported = false;
  }

  #failed(error: unknown): number {
    const { clock, logger } = this.#options;
    const now = clock.monotonic();
    this.#failingSince ??= now;
    if (!this.#isReported && now - this.#failingSince >= REPORT_FAILURE_AFTER_MS) {
      this.#isReported = true;
      logger.warn(
        { error },
        'Cancellations of messages cannot be read: canceled messages are handled to the end.',
      );
    }
    return this.#delays.next(error, this.#options);
  }
}
