import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { backoffDelayMs, type RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import type { CallOptions } from '../transport/platform-request.ts';

/** A platform that asks for more is asked again all the same. */
const LONGEST_WAIT_MS = 60_000;

/** What {@link announce} needs. */
export interface AnnounceOptions {
  readonly port: { register(options: CallOptions): Promise<unknown> };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  readonly signal: AbortSignal;
  /** Told at the first failure that is worth waiting for. */
  readonly onUnreachable: (error: unknown) => void;
}

/**
 * Registers, for as long as it takes: a platform that is down is waited for. What waiting cannot mend, such as a
 * token that is not accepted, rejects at once.
 */
export async function announce(options: AnnounceOptions): Promise<void> {
  const { port, clock, logger, random, signal, onUnreachable } = options;
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      await port.register({ signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isWorthWaiting(error)) throw error;
      if (attempt === 1) {
        logger.warn({ error }, 'The platform cannot be reached; registering is repeated until it can.');
        onUnreachable(error);
      }
      const askedMs = MoleculeError.isInstance(error) ? (error.retryAfterMs ?? 0) : 0;
      const retryAfterMs = Math.min(askedMs, LONGEST_WAIT_MS);
      await clock.sleep(Math.max(retryAfterMs, backoffDelayMs(attempt, {}, random)), { signal });
    }
  }
}

function isWorthWaiting(error: unknown): boolean {
  return MoleculeError.isInstance(error) && (error.isRetryable || error.code === 'routing_problem');
}
