import type { InboundMessage } from '@molecule-ai/protocol';
import type { PlatformClient } from '../../client/platform-client.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { Logger } from '../../logging/logger.ts';
import { backoffDelayMs, type RandomSource } from '../../time/backoff.ts';
import type { Clock } from '../../time/clock.ts';
import type { InboundState } from '../inbound-state.ts';

/** Not retryable by the transport's rule, yet they say nothing about the position. */
const RETRIED: ReadonlySet<string> = new Set(['unauthorized', 'routing_problem', 'platform_error']);

export interface AckSenderOptions {
  readonly client: Pick<PlatformClient, 'acknowledge'>;
  readonly state: Pick<InboundState, 'acknowledged' | 'isOpen' | 'finish' | 'save'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
}

/** Sends the acknowledged position to the platform: the latest one, one request at a time, until it is taken. */
export class AckSender {
  readonly #options: AckSenderOptions;
  #sent: string | null = null;
  #isSupported = true;
  #sending: Promise<void> | undefined;

  constructor(options: AckSenderOptions) {
    this.#options = options;
  }

  /** Whether the platform knows the present position. */
  get isUpToDate(): boolean {
    const { acknowledged } = this.#options.state;
    return !this.#isSupported || acknowledged === null || acknowledged === this.#sent;
  }

  /** Sends what is new in the background. `signal` ends the attempts. */
  send(signal: AbortSignal): void {
    if (this.#sending !== undefined || this.isUpToDate || signal.aborted) return;
    this.#sending = this.#sendAll(signal).finally(() => {
      this.#sending = undefined;
      // The position may have moved after the last comparison and before this line.
      this.send(signal);
    });
  }

  /** Resolves when the platform knows the present position, or when `signal` aborts. Never rejects. */
  async flush(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = (): void => aborted.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!this.isUpToDate && !signal.aborted) {
      this.send(signal);
      // Attempts that were under way already do not end with this signal.
      await Promise.race([this.#sending, aborted.promise]);
    }
    signal.removeEventListener('abort', onAbort);
  }

  /**
   * For at most once: finishes a message before it is handled, and resolves when no crash can bring it back: that is
   * stored, or the platform took an acknowledgement that covers it. Rejects with the signal's reason.
   */
  async acknowledgeFirst(message: InboundMessage, signal: AbortSignal): Promise<void> {
    const { state, clock, random } = this.#options;
    let isStored = await state.finish(message);
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      if (isStored) return;
      await this.flush(signal);
      if (!state.isOpen(message.id) && this.isUpToDate) return;
      await clock.sleep(backoffDelayMs(attempt, {}, random), { signal });
      isStored = await state.save();
    }
  }

  async #sendAll(signal: AbortSignal): Promise<void> {
    const { client, state } = this.#options;
    let failures = 0;
    // Messages that finish in the same tick are acknowledged by one request.
    await Promise.resolve();
    while (!this.isUpToDate && !signal.aborted) {
      const position = state.acknowledged;
      if (position === null) return;
      try {
        // The store must not be behind the platform.
        await state.save();
        const { isSupported } = await client.acknowledge(position, { signal });
        this.#isSupported = isSupported;
        this.#sent = position;
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        await this.#afterFailure(error, failures, position, signal);
      }
    }
  }

  async #afterFailure(
    error: unknown,
    failures: number,
    position: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, logger, random } = this.#options;
    const isFinal = MoleculeError.isInstance(error) && !error.isRetryable && !RETRIED.has(error.code);
    if (isFinal) {
      // The next position covers this one.
      this.#sent = position;
      logger.warn({ error, position }, 'The platform refused an acknowledgement; the next one covers it.');
      return;
    }
    if (failures === 1) logger.warn({ error }, 'An acknowledgement failed; it is sent again.');
    await clock.sleep(backoffDelayMs(failures, {}, random), { signal }).catch(() => {});
  }
}
