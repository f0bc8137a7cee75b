import { MAX_OUTCOMES } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import { backoffDelayMs } from '../time/backoff.ts';
import { orAborted } from '../time/linked-abort.ts';
import type { InboundOptions } from './inbound-options.ts';
import type { Ledger, OpenMessage } from './ledger.ts';
import type { ReportedOutcome } from './ledger-lines.ts';

/** Not retried by the transport, but unrelated to what is acknowledged; the last two come from something in between. */
const RETRIED: ReadonlySet<string> = new Set([
  'connection_failed',
  'unauthorized',
  'routing_problem',
  'platform_error',
  'unexpected_response',
  'redirect_refused',
  'client_closed',
]);
/** Requests with outcomes are at least this far apart, so that one has many. */
const OUTCOME_INTERVAL_MS = 200;
/** Most requests in a second, of any kind. */
const REQUESTS_A_SECOND = 5;
const LONGEST_RETRY_MS = 60_000;

type AckSenderOptions = Pick<InboundOptions, 'clock' | 'logger' | 'random'> & {
  readonly client: Pick<InboundOptions['client'], 'acknowledge' | 'capabilities'>;
  readonly delivery?: Pick<InboundOptions['delivery'], 'isPositionHeld'>;
};

export type AcknowledgedLedger = Pick<
  Ledger,
  'acknowledged' | 'isUnacknowledged' | 'finish' | 'save' | 'outcomes' | 'outcomesReported'
>;

/** One acknowledgement: how far the finished prefix reaches, `null` when that is not sent, and outcomes. */
interface Acknowledging {
  readonly position: string | null;
  readonly outcomes: readonly ReportedOutcome[];
}

/**
 * Sends the acknowledged position and the outcomes of messages to the platform: what is new in one request, one request
 * at a time, until it is taken. An outcome is sent before, or together with, a position that covers its row, because the
 * platform ends an acknowledged row without one as unanswered.
 */
export class AckSender {
  readonly #options: AckSenderOptions;
  readonly #ledger: AcknowledgedLedger;
  #sent: string | null = null;
  #isSupported = true;
  #sending: Promise<void> | undefined;
  /** When the latest requests were sent, the last one last. */
  readonly #sentAt: number[] = [];
  #outcomesSentAt = Number.NEGATIVE_INFINITY;

  constructor(options: AckSenderOptions, ledger: AcknowledgedLedger) {
    this.#options = options;
    this.#ledger = ledger;
  }

  /** Whether the platform has the current position and all outcomes. */
  get isUpToDate(): boolean {
    return this.#ledger.outcomes.size === 0 && this.#newPosition === null;
  }

  /** Sends a new position in the background. `signal` stops the retries. */
  send(signal: AbortSignal): void {
    if (this.#sending !== undefined || this.isUpToDate || signal.aborted) return;
    this.#sending = this.#sendAll(signal);
  }

  /** Resolves when the platform has the current position, or when `signal` aborts. Never rejects. */
  async flush(signal: AbortSignal): Promise<void> {
    while (!this.isUpToDate && !signal.aborted) {
      this.send(signal);
      // A request that was already sent does not end with this signal.
      await orAborted(Promise.resolve(this.#sending), signal).catch(() => {});
    }
  }

  /**
   * For at-most-once delivery: finishes a message before it is handled. Resolves when it cannot be delivered again after
   * a crash, because that is stored or the platform accepted its acknowledgement. Rejects with the signal's reason.
   */
  async acknowledgeFirst(record: OpenMessage, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const ledger = this.#ledger;
    let isStored = await ledger.finish(record, { outcome: 'accepted' });
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      if (isStored) return;
      await this.flush(signal);
      if (!ledger.isUnacknowledged(record.message.id) && this.isUpToDate) return;
      await clock.sleep(backoffDelayMs(attempt, random), { signal });
      isStored = await ledger.save();
    }
  }

  /** The position that the platform does not have and may be given; `null` for none. */
  get #newPosition(): string | null {
    if (!this.#isSupported || this.#options.delivery?.isPositionHeld === true) return null;
    const { acknowledged } = this.#ledger;
    return acknowledged === this.#sent ? null : acknowledged;
  }

  async #sendAll(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let failures = 0;
    // One request acknowledges all messages that finish in the same tick.
    await Promise.resolve();
    do {
      const pauseMs = this.#mayBeSentAt() - clock.monotonic();
      if (pauseMs > 0) await clock.sleep(pauseMs, { signal }).catch(() => {});
      if (signal.aborted) break;
      // What is stored must not be older than what the platform has.
      await this.#ledger.save();
      const next = this.#next();
      try {
        await this.#sendOne(next, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        await this.#afterFailure(error, failures, next, signal);
      }
    } while (!this.isUpToDate && !signal.aborted);
    this.#sending = undefined;
  }

  #mayBeSentAt(): number {
    const [oldest = 0] = this.#sentAt;
    const afterSecond = this.#sentAt.length < REQUESTS_A_SECOND ? Number.NEGATIVE_INFINITY : oldest + 1_000;
    if (this.#ledger.outcomes.size === 0) return afterSecond;
    return Math.max(afterSecond, this.#outcomesSentAt + OUTCOME_INTERVAL_MS);
  }

  #next(): Acknowledging {
    const { client } = this.#options;
    const ledger = this.#ledger;
    const all = [...ledger.outcomes.values()];
    if (all.length > 0 && !client.capabilities.has('outcomes')) {
      ledger.outcomesReported(all);
      return { position: this.#newPosition, outcomes: [] };
    }
    const outcomes = all.slice(0, MAX_OUTCOMES);
    return { position: outcomes.length === all.length ? this.#newPosition : null, outcomes };
  }

  async #sendOne({ position, outcomes }: Acknowledging, signal: AbortSignal): Promise<void> {
    if (position === null && outcomes.length === 0) return;
    const { client, clock } = this.#options;
    const now = clock.monotonic();
    if (outcomes.length > 0) this.#outcomesSentAt = now;
    this.#sentAt.push(now);
    if (this.#sentAt.length > REQUESTS_A_SECOND) this.#sentAt.shift();
    const { isSupported } = await client.acknowledge(position, {
      ...(outcomes.length === 0 ? {} : { outcomes }),
      signal,
    });
    this.#isSupported = isSupported;
    if (position !== null) this.#sent = position;
    if (outcomes.length > 0) this.#ledger.outcomesReported(outcomes);
  }

  async #afterFailure(
    error: unknown,
    failures: number,
    { position, outcomes }: Acknowledging,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, logger, random } = this.#options;
    const isFinal = MoleculeError.isInstance(error) && !error.isRetryable && !RETRIED.has(error.code);
    if (isFinal) {
      logger.warn(
        { error, position },
        'The platform refused an acknowledgement; it is included in the next one.',
      );
      // The next acknowledgement includes this one. The outcomes are tried once more without it.
      if (position !== null) this.#sent = position;
      else this.#ledger.outcomesReported(outcomes);
      return;
    }
    const isClosed = MoleculeError.isInstance(error) && error.code === 'client_closed';
    if (failures === 1 && !isClosed) logger.warn({ error }, 'An acknowledgement failed; it is retried.');
    const requestedMs = MoleculeError.isInstance(error) ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(backoffDelayMs(failures, random), Math.min(requestedMs, LONGEST_RETRY_MS));
    await clock.sleep(waitMs, { signal }).catch(() => {});
  }
}
