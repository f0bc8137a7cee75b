import type { ClientPort } from '../client/client-port.ts';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { type RandomSource, reconnectDelayMs } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { withDeadline } from '../time/linked-abort.ts';
import type { PresenceState } from './presence-machine.ts';

const LONG_OUTAGE_MS = 60_000;
const MIN_INTERVAL_MS = 60_000;
const REGISTER_TIMEOUT_MS = 10_000;
const NEEDS_REGISTRATION: ReadonlySet<string | null> = new Set(['awaiting_agent', 'offline', 'provisioning']);
/** An agent that starts has not lost the platform together with others, and its platform may be starting as well. */
const FIRST_SPREAD_MS = 2_000;

export interface RegisterWithRetryOptions {
  readonly client: Pick<ClientPort, 'register'>;
  /** For the log. */
  readonly platformUrl: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  readonly signal: AbortSignal;
  /** Called after each failure that is retried. */
  readonly onUnreachable: (error: unknown) => void;
}

/**
 * Registers; retries without limit while the platform is unreachable. Other errors, such as a token that is not accepted,
 * reject immediately.
 */
export async function registerWithRetry(options: RegisterWithRetryOptions): Promise<void> {
  const { client, platformUrl, clock, logger, random, signal, onUnreachable } = options;
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      // Not retried by the transport, so that an outage is reported at its first sign.
      await client.register({ signal, isRetried: false });
      // At the level of the outage, so that a log with the one has the other.
      if (attempt > 1) logger.warn({ attempt }, 'The platform can be reached: the agent is registered.');
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isWorthRetrying(error)) throw error;
      const delayMs = reconnectDelayMs(attempt, error, { reconnectSpreadMs: FIRST_SPREAD_MS, random });
      if (attempt === 1) {
        const seconds = Math.max(1, Math.round(delayMs / 1_000));
        const platform = URL.canParse(platformUrl) ? new URL(platformUrl).origin : '';
        const text = `${problemOf(error, platform)}; registering is tried again in ${seconds} s, and from then on until it succeeds.`;
        logger.warn({ platform, nextAttemptInMs: Math.round(delayMs), error }, text);
      }
      onUnreachable(error);
      await clock.sleep(delayMs, { signal });
    }
  }
}

function problemOf(error: unknown, origin: string): string {
  const code = MoleculeError.isInstance(error) ? error.code : undefined;
  if (code === 'routing_problem') return `The server at ${origin} does not answer as a platform does`;
  return `The platform at ${origin} ${code === 'rate_limited' ? 'limits the rate of requests' : 'cannot be reached'}`;
}

/** A 404 of a gateway passes; one of a platform with a reason does not, nor does another error of a web server. */
function isWorthRetrying(error: unknown): boolean {
  if (!MoleculeError.isInstance(error)) return false;
  if (error.isRetryable) return true;
  if (error.code !== 'routing_problem' || !ApiError.isInstance(error)) return false;
  return error.status === 404 && error.platformCode !== 'org_mismatch';
}

type ReregistrationOptions = Pick<RegisterWithRetryOptions, 'client' | 'clock' | 'logger'>;

/**
 * Registers again when a heartbeat alone may not set the workspace online: after a pause, after an outage longer than a
 * minute, and when the platform accepts heartbeats but does not report it as online; and when it is requested. At most once
 * a minute; a failure is logged and retried with a later heartbeat.
 */
export class Reregistration {
  readonly #options: ReregistrationOptions;
  #failingSince: number | undefined;
  #isNeeded = false;
  #lastTriedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ReregistrationOptions) {
    this.#options = options;
  }

  /** Registers with the next heartbeat; false when that is due already. */
  request(): boolean {
    const isNew = !this.#isNeeded;
    this.#isNeeded = true;
    return isNew;
  }

  /** Call after each failed round. */
  afterFailure(): void {
    this.#failingSince ??= this.#options.clock.monotonic();
  }

  /** Call after each successful round, with the state before it. Rejects only with the signal's reason. */
  async afterAlive(
    before: PresenceState,
    now: { readonly paused: boolean; readonly status: string | null },
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#options;
    const outageMs = this.#failingSince === undefined ? 0 : clock.monotonic() - this.#failingSince;
    this.#failingSince = undefined;
    if (outageMs >= LONG_OUTAGE_MS) this.#isNeeded = true;
    if (now.paused) return;
    if (before === 'paused') {
      this.#isNeeded = true;
      this.#lastTriedAt = Number.NEGATIVE_INFINITY;
    }
    if (!this.#isNeeded && !NEEDS_REGISTRATION.has(now.status)) return;
    if (clock.monotonic() - this.#lastTriedAt >= MIN_INTERVAL_MS) await this.#register(signal);
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { client, clock, logger } = this.#options;
    this.#lastTriedAt = clock.monotonic();
    const deadline = { clock, timeoutMs: REGISTER_TIMEOUT_MS, what: 'The registration', signal };
    try {
      await withDeadline(deadline, (inner) => client.register({ signal: inner }));
      this.#isNeeded = false;
      logger.info({}, 'Registered again.');
    } catch (error) {
      signal.throwIfAborted();
      this.#isNeeded = true;
      logger.warn({ error }, 'Registering again failed; it is retried with a later heartbeat.');
    }
  }
}
