import type { DeliveryMode } from '@molecule-ai/protocol';
import type { ProbeResult } from '../client/platform-client.ts';
import { ConfigurationError, MoleculeError } from '../errors/molecule-error.ts';
import { LongPollDelivery, PushDelivery } from '../inbound/deliveries.ts';
import {
  type ControlReads,
  type DeliveryContext,
  type InboundDelivery,
  keepDelivering,
} from '../inbound/delivery.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import type { AgentReport } from './agent-report.ts';

/** The times between probes, in milliseconds: while the agent long-polls, the last one repeats; while it is pushed to. */
const RETRY_DELAYS_MS = [15_000, 30_000, 60_000, 120_000, 300_000] as const;
const RECHECK_MS = 60_000;
/** A push that was on its way may take so long to fail and come back into the feed: its time limit, and some more. */
const SETTLE_MS = 330_000;

/** Asks the platform whether it reaches the agent. */
export interface PlatformProbe {
  /** Why it need not be asked; `null` when it can be. */
  readonly obstacle: () => 'not_offered' | 'inbound_auth' | null;
  readonly probe: (signal: AbortSignal) => Promise<ProbeResult>;
}

export interface AutoDeliveryOptions extends PlatformProbe {
  readonly clock: Clock;
  /** Registers in the mode that {@link AutoDelivery.deliveryMode} names. */
  readonly register: (signal: AbortSignal) => Promise<unknown>;
  /** The mode has changed, or is long-poll from the start. */
  readonly onChange: (mode: 'push' | 'long-poll', reason: string | null) => void;
}

/**
 * Push while the platform reaches the agent, long-poll otherwise. It switches by registering in the other mode, first for
 * push, so that messages can come both ways for a moment: copies are dropped. After a switch to long-poll it reads
 * everything that is not acknowledged, and holds the acknowledged position back, until no push can be under way any more.
 */
export class AutoDelivery implements InboundDelivery {
  /** The one that is used. */
  name: 'push' | 'long-poll' = 'long-poll';
  /** Why it is not push; `null` when it is, `undefined` until the first probe has ended. */
  reason: string | null | undefined;
  readonly #options: AutoDeliveryOptions;
  readonly #push = new PushDelivery();
  readonly #longPoll: LongPollDelivery;
  #settlesAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #pause: LinkedAbort | undefined;

  constructor(options: AutoDeliveryOptions) {
    this.#options = options;
    const fromAcknowledged = () => this.isPositionHeld;
    this.#longPoll = new LongPollDelivery({}, { isUnacknowledgedOnly: true, fromAcknowledged });
  }

  /** What the agent registers. */
  get deliveryMode(): DeliveryMode {
    return this.name === 'push' ? 'push' : 'poll';
  }

  get expectedSilenceMs(): number {
    return this.#current.expectedSilenceMs;
  }

  get controlReads(): ControlReads {
    return this.#longPoll.controlReads;
  }

  get isPositionHeld(): boolean {
    return this.name === 'long-poll' && this.#options.clock.monotonic() < this.#settlesAt;
  }

  /** Probes now, and not when the pause is over: the server of the agent has started or stopped. */
  probeNow(): void {
    this.#failures = 0;
    this.#pause?.abort();
  }

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    let phase = this.#start(context, signal);
    try {
      for (;;) {
        // From before the probe, so that one which is asked for meanwhile follows it.
        const pause = linkAbort(signal);
        this.#pause = pause;
        const isSwitched = await this.#check(context, signal);
        if (isSwitched) {
          phase.abort();
          phase = this.#start(context, signal);
        }
        const limits = { signal: pause.signal, keepAlive: false };
        await context.clock
          .sleep(this.#pauseMs() * (0.75 + 0.25 * context.random()), limits)
          .catch(() => signal.throwIfAborted());
        pause.abort();
      }
    } finally {
      this.#pause?.abort();
      phase.abort();
    }
  }

  get #current(): InboundDelivery {
    return this.name === 'push' ? this.#push : this.#longPoll;
  }

  #start(context: DeliveryContext, signal: AbortSignal): LinkedAbort {
    const phase = linkAbort(signal);
    void keepDelivering(this.#current, context, phase.signal);
    return phase;
  }

  #pauseMs(): number {
    if (this.name === 'push') return RECHECK_MS;
    return RETRY_DELAYS_MS[Math.min(this.#failures, RETRY_DELAYS_MS.length) - 1] ?? RECHECK_MS;
  }

  /** Probes, and registers in the other mode when that is due; returns whether it did. */
  async #check(context: DeliveryContext, signal: AbortSignal): Promise<boolean> {
    const result = await this.#probe(context, signal);
    // A platform that cannot be asked cannot be registered with either.
    if (result === null) return false;
    this.#failures = result.isReachable ? 0 : this.#failures + 1;
    const wanted = result.isReachable ? 'push' : 'long-poll';
    const isSwitch = wanted !== this.name;
    if (isSwitch && !(await this.#switchTo(wanted, context, signal))) return false;
    this.#report(result, context);
    return isSwitch;
  }

  async #probe({ logger }: DeliveryContext, signal: AbortSignal): Promise<ProbeResult | null> {
    const reason = this.#options.obstacle();
    if (reason !== null) return { isReachable: false, reason };
    return await this.#options.probe(signal).catch((error: unknown) => {
      signal.throwIfAborted();
      logger.debug({ error }, 'Whether the platform reaches the agent is not known.');
      const isRefused = MoleculeError.isInstance(error) && !error.isRetryable;
      return isRefused && this.name === 'long-poll' ? { isReachable: false, reason: 'probe_refused' } : null;
    });
  }

  async #switchTo(
    wanted: 'push' | 'long-poll',
    { logger }: DeliveryContext,
    signal: AbortSignal,
  ): Promise<boolean> {
    const before = this.name;
    this.name = wanted;
    if (wanted === 'long-poll') this.#settlesAt = this.#options.clock.monotonic() + SETTLE_MS;
    try {
      await this.#options.register(signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      this.name = before;
      const isRefused = MoleculeError.isInstance(error) && !error.isRetryable;
      logger[isRefused ? 'warn' : 'debug']({ error, mode: wanted }, 'The delivery could not be switched.');
      return false;
    }
  }

  /** Says how messages come in, once for each reason. */
  #report({ reason, status = null }: ProbeResult, { logger }: DeliveryContext): void {
    const mode = this.name;
    const before = this.reason;
    this.reason = reason;
    if (reason === before) return;
    if (reason === null) logger.info({ mode }, 'Messages are pushed from now on.');
    else {
      const fields = { mode, reason, ...(status === null ? {} : { status }), hint: deliveryHint(reason) };
      const text = 'Messages are not pushed: the platform has not reached the agent at its reportedUrl.';
      logger.warn(fields, text);
    }
    if (before === undefined || (reason === null) !== (before === null)) this.#options.onChange(mode, reason);
  }
}

const SERVED_THERE = 'Check reportedUrl, and what a proxy in front of the agent does with its path.';

/** What to do, by the reason why messages are not pushed: of docs/contract/receiving.md#why-it-is-not-push. */
const HINTS: Readonly<Record<string, string>> = {
  not_offered:
    'This platform does not probe. If it pushes, set delivery to "push"; else leave reportedUrl out.',
  probe_refused: 'The platform refused to probe: its error is in the debug log.',
  inbound_auth:
    'A probe needs inboundAuth "peer-tokens". Where the platform signs no tokens, set delivery to "push", or leave reportedUrl out.',
  refused_address:
    'The platform connects to no such address: reportedUrl must be a public one, or the platform must allow its network.',
  name_not_found: 'The host name of reportedUrl does not resolve where the platform runs: correct it.',
  connection_refused:
    'Nothing listens there: start the server of the agent, and check host and port of reportedUrl.',
  connection_failed:
    'The connection broke: check that reportedUrl names http or https as the server speaks it.',
  tls_failed:
    'The platform does not trust the certificate, or the server speaks http only: check it and the scheme of reportedUrl.',
  timeout: 'No response in 8 s: check the address in reportedUrl, and firewalls.',
  wrong_status: `The response there is not 200. ${SERVED_THERE}`,
  no_probe_header: `What responds there is not this agent, but another one or another server. ${SERVED_THERE}`,
  wrong_probe_header: `Another agent responds there. ${SERVED_THERE}`,
  clock_skew: 'The clock of this machine is wrong: set it.',
};

export function deliveryHint(reason: string): string {
  return HINTS[reason] ?? SERVED_THERE;
}

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
    const problem = `The platform does not reach the agent at its reportedUrl: ${why}.`;
    const error = new ConfigurationError(problem, { hint: deliveryHint(why) });
    const fields = { error, reason: why, ...(status === null ? {} : { status }) };
    logger.warn(
      fields,
      `No message came for ${Math.round(afterMs / 60_000)} min, and the platform, asked twice, does not reach the agent at its reportedUrl: messages are not pushed.`,
    );
    report.degraded('inbound-dead', error);
  }
}
