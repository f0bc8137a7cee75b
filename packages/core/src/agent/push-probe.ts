import type { ProbeResult } from '../client/platform-client.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import type { AgentReport } from './agent-report.ts';
import { deliveryHint, type PlatformProbe } from './auto-delivery.ts';

const ASK_AGAIN_MS = 60_000;
const REFUSALS_UNTIL_DEAD = 2;

export interface PushProbeOptions extends PlatformProbe {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  readonly report: AgentReport;
  /** Time without a push until the platform is asked, in milliseconds. */
  readonly afterMs: number;
}

/**
 * After a long time without a push, asks the platform whether it reaches the agent: heartbeats succeed behind a proxy or a tunnel
 * that no longer lets anything in. Two refusals in a row are reported as `inbound-dead`; each probe that succeeds, and each push,
 * ends that. A platform that cannot be asked says nothing. Not while the workspace is paused.
 */
export class PushProbe {
  readonly #options: PushProbeOptions;
  #life: LinkedAbort | undefined;
  #lastPushAt = 0;
  #refusals = 0;

  constructor(options: PushProbeOptions) {
    this.#options = options;
    const { report } = options;
    report.on('started', () => this.#open());
    report.on('resumed', () => this.#open());
    report.on('paused', () => this.#close());
    report.onEnd(() => this.#close());
  }

  /** Call with each request of the platform that brings a message. */
  pushed(): void {
    this.#lastPushAt = this.#options.clock.monotonic();
    this.#reached();
  }

  /** `started` follows `resumed` for an agent that starts paused. */
  #open(): void {
    this.#close();
    this.#life = linkAbort();
    const isDead = this.#refusals >= REFUSALS_UNTIL_DEAD;
    this.#lastPushAt = isDead ? Number.NEGATIVE_INFINITY : this.#options.clock.monotonic();
    // Rejects with the abort only.
    this.#run(this.#life.signal).catch(() => {});
  }

  #close(): void {
    this.#life?.abort();
    this.#life = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, afterMs, obstacle } = this.#options;
    for (;;) {
      const waitMs = afterMs * (1 + 0.1 * random());
      const leftMs = this.#lastPushAt + waitMs - clock.monotonic();
      if (leftMs > 0) {
        await clock.sleep(leftMs, { signal, keepAlive: false });
        continue;
      }
      const isReached = obstacle() === null ? await this.#ask(signal) : null;
      if (isReached === true) this.#lastPushAt = clock.monotonic();
      else await clock.sleep(ASK_AGAIN_MS, { signal, keepAlive: false });
    }
  }

  /** `null` when it is not known. */
  async #ask(signal: AbortSignal): Promise<boolean | null> {
    const { logger, probe } = this.#options;
    try {
      const result = await probe(signal);
      signal.throwIfAborted();
      if (result.isReachable) this.#reached();
      else this.#refused(result);
      return result.isReachable;
    } catch (error) {
      signal.throwIfAborted();
      logger.debug({ error }, 'Whether the platform reaches the agent is not known.');
      return null;
    }
  }

  #reached(): void {
    this.#refusals = 0;
    this.#options.report.recovered('inbound-dead');
  }

  #refused({ reason, status = null }: ProbeResult): void {
    const { report, logger, afterMs } = this.#options;
    this.#refusals += 1;
    if (this.#refusals !== REFUSALS_UNTIL_DEAD) return;
    const why = reason ?? 'unknown';
    const error = new ConfigurationError(
      `The platform does not reach the agent at its reportedUrl: ${why}.`,
      { hint: deliveryHint(why) },
    );
    const fields = { error, reason: why, ...(status === null ? {} : { status }) };
    logger.warn(
      fields,
      `No message came for ${Math.round(afterMs / 60_000)} min, and the platform, asked twice, does not reach the agent at its reportedUrl: messages are not pushed.`,
    );
    report.degraded('inbound-dead', error);
  }
}
