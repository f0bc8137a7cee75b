import type { InboundMessage } from '@molecule-ai/protocol';
import type { PlatformClient } from '../../client/platform-client.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { Logger } from '../../logging/logger.ts';
import { backoffDelayMs, type RandomSource } from '../../time/backoff.ts';
import type { Clock } from '../../time/clock.ts';
import type { InboundState } from '../inbound-state.ts';

/** Not retried by the transport, but unrelated to the position. */
const RETRIED: ReadonlySet<string> = new Set(['unauthorized', 'routing_problem', 'platform_error']);

export interface AckSenderOptions {
  readonly client: Pick<PlatformClient, 'acknowledge'>;
  readonly state: Pick<InboundState, 'acknowledged' | 'isOpen' | 'finish' | 'save'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
}

/** Sends the latest acknowledged position to the platform, one request at a time, and retries until it is accepted. */
export class AckSender {
  readonly #options: AckSenderOptions;
  #sent: string | null = null;
  #isSupported = true;
  #sending: Promise<void> | undefined;

  constructor(options: AckSenderOptions) {
    this.#options = options;
  }

  /** Whether the platform has the current position. */
  get isUpToDate(): boolean {
    const { acknowledged } = this.#options.state;
    return !this.#isSupported || acknowledged === null || acknowledged === this.#sent;
  }

  /** Sends a new position in the background. `signal` stops the retries. */
  send(signal: AbortSignal): void {
    if (this.#sending !== undefined || this.isUpToDate || signal.aborted) return;
    this.#sending = this.#sendAll(signal).finally(() => {
      this.#sending = undefined;
      // The position may have moved since the last comparison.
      this.send(signal);
    });
  }

  /** Resolves when the platform has the current position, or when `signal` aborts. Never rejects. */
  async flush(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = (): void => aborted.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!this.isUpToDate && !signal.aborted) {
      this.send(signal);
      // A request that was already sent does not end with this signal.
      await Promise.race([this.#sending, aborted.promise]);
    }
    signal.removeEventListener('abort', onAbort);
  }

  /**
   * For at-most-once delivery: finishes a message before it is handled. Resolves when it cannot be delivered again after
   * a crash, because that is stored or the platform accepted its acknowledgement. Rejects with the signal's reason.
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
    // One request acknowledges all messages that finish in the same tick.
    await Promise.resolve();
    while (!this.isUpToDate && !signal.aborted) {
      const position = state.acknowledged;
      if (position === null) return;
      try {
        // The stored position must not be older than the acknowledged one.
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
      // The next acknowledgement includes this one.
      this.#sent = position;
      logger.warn(
        { error, position },
        'The platform refused an acknowledgement; it is included in the next one.',
      );
      return;
    }
    if (failures === 1) logger.warn({ error }, 'An acknowledgement failed; it is retried.');
    await clock.sleep(backoffDelayMs(failures, {}, random), { signal }).catch(() => {});
  }
}
