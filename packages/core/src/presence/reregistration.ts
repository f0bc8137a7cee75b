import type { PlatformClient } from '../client/platform-client.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock } from '../time/clock.ts';
import { withDeadline } from '../time/deadline.ts';
import type { PresenceState } from './presence-machine.ts';

const LONG_OUTAGE_MS = 60_000;
const NOT_AGAIN_WITHIN_MS = 60_000;
const REGISTER_TIMEOUT_MS = 10_000;
const NEEDS_REGISTRATION: ReadonlySet<string | null> = new Set(['awaiting_agent', 'offline', 'provisioning']);

/** What a {@link Reregistration} needs. */
export interface ReregistrationOptions {
  readonly client: Pick<PlatformClient, 'register'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Registers again where a heartbeat alone may not bring the workspace back: after a pause, after an outage longer
 * than a minute, and when the platform takes heartbeats and still does not call it online (wire contract 2.3; 8,
 * row 40). At most once a minute; a failure is logged and tried again with a later heartbeat.
 */
export class Reregistration {
  readonly #options: ReregistrationOptions;
  #failingSince: number | undefined;
  #isOwed = false;
  #lastTriedAt: number | undefined;

  constructor(options: ReregistrationOptions) {
    this.#options = options;
  }

  /** Call after each round that failed. */
  afterFailure(): void {
    this.#failingSince ??= this.#options.clock.monotonic();
  }

  /** Call after each round that was taken, with the state before it. Rejects only with the signal's reason. */
  async afterAlive(
    before: PresenceState,
    now: { readonly paused: boolean; readonly status: string | null },
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#options;
    const outageMs = this.#failingSince === undefined ? 0 : clock.monotonic() - this.#failingSince;
    this.#failingSince = undefined;
    if (outageMs >= LONG_OUTAGE_MS) this.#isOwed = true;
    if (now.paused) return;
    if (before === 'paused') {
      this.#isOwed = true;
      this.#lastTriedAt = undefined;
    }
    if (!this.#isOwed && !NEEDS_REGISTRATION.has(now.status)) return;
    const sinceLastMs = clock.monotonic() - (this.#lastTriedAt ?? Number.NEGATIVE_INFINITY);
    if (sinceLastMs >= NOT_AGAIN_WITHIN_MS) await this.#register(signal);
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { client, clock, logger } = this.#options;
    this.#lastTriedAt = clock.monotonic();
    const deadline = { clock, timeoutMs: REGISTER_TIMEOUT_MS, what: 'The registration', signal };
    try {
      await withDeadline(deadline, (inner) => client.register({ signal: inner }));
      this.#isOwed = false;
      logger.info({}, 'Registered again.');
    } catch (error) {
      signal.throwIfAborted();
      this.#isOwed = true;
      logger.warn({ error }, 'Registering again failed; it is tried with a later heartbeat.');
    }
  }
}
