import type { PlatformClient } from '../client/platform-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { backoffDelayMs, type RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';

/** What an {@link AckSender} needs. */
export interface AckSenderOptions {
  readonly port: Pick<PlatformClient, 'acknowledge'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  /** The acknowledged position; `null` when there is none. */
  readonly position: () => string | null;
  /** Writes the books, so that the file is never behind what the platform was told. */
  readonly save: () => Promise<boolean>;
}

/** Tells the platform the acknowledged position: the latest one, one request at a time, again until it is taken. */
export class AckSender {
  readonly #options: AckSenderOptions;
  #told: string | null = null;
  #isSupported = true;
  #sending: Promise<void> | undefined;

  constructor(options: AckSenderOptions) {
    this.#options = options;
  }

  /** Whether the platform knows the present position. */
  get isUpToDate(): boolean {
    const position = this.#options.position();
    return !this.#isSupported || position === null || position === this.#told;
  }

  /** Sends what is new in the background. `signal` ends the attempts, not what is owed. */
  send(signal: AbortSignal): void {
    if (this.#sending !== undefined || this.isUpToDate || signal.aborted) return;
    this.#sending = this.#sendAll(signal).finally(() => {
      this.#sending = undefined;
      // What became owed after the last look and before this line.
      this.send(signal);
    });
  }

  /** Resolves when nothing is owed any more, or when `signal` aborts. Never rejects. */
  async flush(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = (): void => aborted.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!this.isUpToDate && !signal.aborted) {
      this.send(signal);
      // Another's attempts do not end with this signal.
      await Promise.race([this.#sending, aborted.promise]);
    }
    signal.removeEventListener('abort', onAbort);
  }

  async #sendAll(signal: AbortSignal): Promise<void> {
    let failures = 0;
    // Finishes of the same tick are told in one request.
    await Promise.resolve();
    while (!this.isUpToDate && !signal.aborted) {
      const position = this.#options.position();
      if (position === null) return;
      try {
        await this.#options.save();
        const { isSupported } = await this.#options.port.acknowledge(position, { signal });
        this.#isSupported = isSupported;
        this.#told = position;
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
    const isFinal = MoleculeError.isInstance(error) && !error.isRetryable && !TRIED_AGAIN.has(error.code);
    if (isFinal) {
      // The next position covers this one.
      this.#told = position;
      logger.warn({ error, position }, 'The platform refused an acknowledgement; the next one covers it.');
      return;
    }
    if (failures === 1) logger.warn({ error }, 'An acknowledgement failed; it is sent again.');
    await clock.sleep(backoffDelayMs(failures, {}, random), { signal }).catch(() => {});
  }
}

/** Not retryable by the transport's rule, yet no verdict on the position. */
const TRIED_AGAIN: ReadonlySet<string> = new Set(['unauthorized', 'routing_problem', 'platform_error']);
