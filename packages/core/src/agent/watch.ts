import { randomUUID } from 'node:crypto';
import type { DeliveryMode, InboundMessage } from '@molecule-ai/protocol';
import type { ProbeResult } from '../client/client-port.ts';
import { ConfigurationError, MoleculeError } from '../errors/molecule-error.ts';
import { LongPollDelivery, PushDelivery } from '../inbound/deliveries.ts';
import {
  type ControlReads,
  type DeliveryContext,
  type InboundDelivery,
  keepDelivering,
} from '../inbound/delivery.ts';
import type { InboundWatch } from '../inbound/inbound-options.ts';
import type { Logger } from '../logging/logger.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';
import type { RemoteAgentSettings } from './agent-options.ts';
import type { AgentReport } from './agent-report.ts';
import { type DegradedReason, SIGNS } from './health.ts';

/** Times in milliseconds. */
const STALE_AFTER_SILENCES = 3;
const ASK_AGAIN_MS = 60_000;
const OWN_MESSAGE_MS = 60_000;
const MISSES_UNTIL_DEAD = 2;
/** Between two probes of `auto`: while the agent is pushed to, and while it long-polls, where the last one repeats. */
const RECHECK_MS = 60_000;
const RETRY_DELAYS_MS = [15_000, 30_000, 60_000, 120_000, 300_000] as const;
/** A push that was on its way may take so long to fail and come back into the feed: its time limit, and some more. */
const SETTLE_MS = 330_000;
const DEAD_CHECK_MS = 5_000;
/** A check that is this late shows that the event loop was blocked, or the process suspended: the agent could not try. */
const LATE_MS = 2_000;
/** After such a time there is time for another attempt. */
const ANOTHER_ROUND_MS = 15_000;
/** Heartbeats may be so many intervals apart without a sign that something is wrong. */
const SILENT_INTERVALS = 3;
/** The process ends so long after the error is logged, whether the agent has stopped or not. */
const STOP_MS = 5_000;
const HANDLERS_MS = 2_000;
/** `EX_SOFTWARE` of sysexits.h: other than a crash of Node (1) and signals (128 and more). */
const DEAD_EXIT_CODE = 70;

const OWN_MESSAGES_MISSED =
  'The feed is read, but two messages that the agent sent to itself did not come: messages of others may not come either.';

/** Begins the id of each message of an agent to itself, so that one that was sent before a restart is recognised. */
const OWN_MESSAGE_ID = 'inbound-probe-';

export interface WatchOptions {
  readonly settings: Pick<
    RemoteAgentSettings,
    | 'port'
    | 'delivery'
    | 'deliveryChoice'
    | 'inboundAuth'
    | 'probeAfterMs'
    | 'exitAfterMs'
    | 'heartbeatIntervalMs'
    | 'random'
  >;
  readonly logger: Logger;
  readonly report: AgentReport;
  /** Registers in the mode of {@link SwitchedDelivery.deliveryMode}. */
  readonly register: (signal: AbortSignal) => Promise<unknown>;
  /** Messages are pushed from now on. */
  readonly onPushed: () => void;
  /** Whether the feed is read, as far as that depends on this agent. */
  readonly mayRead: () => boolean;
  /** When the platform last accepted a heartbeat, on the monotonic clock. */
  readonly lastHeartbeat: () => number | undefined;
  readonly isEnding: () => boolean;
  readonly stop: (limits: { readonly timeoutMs: number }) => Promise<void>;
}

type CheckName = 'stale' | 'silent' | 'reach' | 'dead';

/**
 * Notices that an agent whose heartbeats arrive gets no messages, or that it is dead; see {@link SIGNS}. One timer runs its checks,
 * each of which plans its next run.
 */
export class AgentWatch implements InboundWatch {
  /** That of the agent; of `auto`, for an agent with a URL, one that can be switched. */
  readonly delivery: InboundDelivery;
  /** Why `auto` does not push; `null` when it does, `undefined` before the first probe has ended. */
  deliveryReason: string | null | undefined;
  readonly #options: WatchOptions;
  readonly #clock: Clock;
  readonly #switched: SwitchedDelivery | null;
  readonly #isPushed: boolean;
  /** Time without a message until it is checked whether messages come; `Infinity` for never. */
  readonly #probeAfterMs: number;
  readonly #staleMs: number;
  readonly #due = new Map<CheckName, number>();
  #timer: Timer | undefined;
  /** While messages are received. */
  #life: AbortSignal | undefined;
  #lastReadAt = 0;
  #isStale = false;
  #lastMessageAt = 0;
  /** Ends the check whether messages come. */
  #asking: AbortController | undefined;
  /** Checks in a row that ended without a message. */
  #misses = 0;
  /** Ids of messages of the agent to itself that have not come. */
  #sent: string[] = [];
  /** Probes of `auto` in a row that did not reach the agent. */
  #failures = 0;
  #isAskedAgain = false;
  /** When it was last checked whether the agent is dead. */
  #checkedAt: number | undefined;
  /** How long there have been reasons to call it dead; `null` without one. */
  #deadMs: number | null = null;
  /** How long no heartbeat has been accepted, whatever the reason: one that is limited is not unreachable. */
  #silentMs = 0;
  #isPaused = false;
  /** Once for each time that the agent is dead. */
  #notBefore: number | undefined;
  #lastError: unknown;

  constructor(options: WatchOptions) {
    const { settings, report } = options;
    const { port, deliveryChoice, delivery, probeAfterMs, exitAfterMs } = settings;
    const canSwitch = deliveryChoice === 'auto' && port.reportedUrl !== null;
    this.#options = options;
    this.#clock = port.clock;
    this.#isPushed = deliveryChoice === 'push';
    this.#switched = canSwitch ? new SwitchedDelivery(port.clock) : null;
    this.delivery = this.#switched ?? delivery;
    this.#staleMs = STALE_AFTER_SILENCES * this.delivery.expectedSilenceMs;
    this.#probeAfterMs = probeAfterMs ?? Number.POSITIVE_INFINITY;
    if (exitAfterMs !== null) this.#watchDead();
    report.onEnd(() => {
      this.#due.clear();
      this.#timer?.cancel();
    });
  }

  /** What the agent registers with `auto`; `undefined` with another delivery. */
  get deliveryMode(): DeliveryMode | undefined {
    return this.#switched?.deliveryMode;
  }

  open(signal: AbortSignal): void {
    const isDead = this.#isPushed && this.#options.report.isDegraded('inbound-dead');
    this.#life = signal;
    this.#lastReadAt = this.#clock.monotonic();
    this.#lastMessageAt = isDead ? Number.NEGATIVE_INFINITY : this.#lastReadAt;
    this.#plan('stale', this.#staleMs);
    this.#plan('silent', this.#untilSilent());
    if (this.#switched !== null) this.#plan('reach', 0);
  }

  close(): void {
    this.#life = undefined;
    for (const check of ['stale', 'silent', 'reach'] as const) this.#due.delete(check);
    this.#asking?.abort();
    this.#asking = undefined;
    this.#forget();
    this.#arm();
  }

  read(): void {
    this.#lastReadAt = this.#clock.monotonic();
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#options.report.recovered('inbound-stale');
  }

  received({ messageId, sourceId }: InboundMessage): boolean {
    const { workspaceId } = this.#options.settings.port;
    const isOwn =
      messageId.startsWith(OWN_MESSAGE_ID) && sourceId.toLowerCase() === workspaceId.toLowerCase();
    if (!this.#isPushed && (!isOwn || this.#sent.includes(messageId))) this.#arrived();
    return isOwn;
  }

  /** Call with each request of the platform that brings a message. */
  pushed(): void {
    if (this.#isPushed) this.#arrived();
  }

  /** The server of the agent has started or stopped: `auto` probes now. */
  serverChanged(): void {
    this.#failures = 0;
    if (this.#due.has('reach')) this.#plan('reach', 0);
    else this.#isAskedAgain = true;
  }

  /** Runs a check after a time, at once for 0. */
  #plan(check: CheckName, inMs: number): void {
    const now = this.#clock.monotonic();
    if (inMs > 0) this.#due.set(check, now + inMs);
    else this.#due.delete(check);
    this.#arm();
    if (inMs <= 0) void this.#check(check, now, 0);
  }

  #arm(): void {
    this.#timer?.cancel();
    const nextAt = Math.min(...this.#due.values());
    if (nextAt === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimer(nextAt - this.#clock.monotonic(), () => this.#run());
  }

  #run(): void {
    const now = this.#clock.monotonic();
    for (const [check, at] of [...this.#due]) {
      if (at > now) continue;
      this.#due.delete(check);
      void this.#check(check, now, now - at);
    }
    this.#arm();
  }

  async #check(check: CheckName, now: number, lateMs: number): Promise<void> {
    try {
      if (check === 'stale') this.#checkRead(now);
      if (check === 'silent') await this.#checkSilence(now);
      if (check === 'reach') await this.#checkReach();
      if (check === 'dead') this.#checkDead(now, lateMs);
    } catch (error) {
      this.#options.logger.error({ error, check }, 'A check of the agent failed.');
    }
  }

  #checkRead(now: number): void {
    if (!this.#options.mayRead()) this.#lastReadAt = now;
    const leftMs = this.#lastReadAt + this.#staleMs - now;
    if (leftMs <= 0 && !this.#isStale) {
      this.#isStale = true;
      this.#options.report.degraded('inbound-stale');
    }
    this.#plan('stale', leftMs > 0 ? leftMs : this.#staleMs);
  }

  #untilSilent(): number {
    const waitMs = this.#probeAfterMs * (1 + 0.1 * this.#options.settings.random());
    return Math.max(0, this.#lastMessageAt + waitMs - this.#clock.monotonic());
  }

  async #checkSilence(now: number): Promise<void> {
    if (this.#misses === 0 && now - this.#lastMessageAt < this.#probeAfterMs) {
      this.#plan('silent', this.#untilSilent());
      return;
    }
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const result = await (this.#isPushed ? this.#askPlatform(signal) : this.#askItself(signal));
    if (signal.aborted) return;
    if (result?.isReachable) {
      this.#arrived();
      return;
    }
    this.#asking = undefined;
    const isKnown = result !== null && !NOT_PROBED.has(result.reason);
    if (isKnown) this.#missed(result);
    if (!isKnown || this.#isPushed) this.#plan('silent', ASK_AGAIN_MS);
    else this.#plan('silent', this.#misses < MISSES_UNTIL_DEAD ? 0 : this.#probeAfterMs);
  }

  #arrived(): void {
    this.#lastMessageAt = this.#clock.monotonic();
    this.#forget();
    this.#options.report.recovered('inbound-dead');
    if (this.#asking === undefined) return;
    this.#asking.abort();
    this.#asking = undefined;
    this.#plan('silent', this.#untilSilent());
  }

  #forget(): void {
    this.#misses = 0;
    this.#sent = [];
  }

  #missed({ reason, status = null }: ProbeResult): void {
    const { report, logger } = this.#options;
    this.#misses += 1;
    if (this.#misses !== MISSES_UNTIL_DEAD || report.isDegraded('inbound-dead')) return;
    if (!this.#isPushed) {
      logger.warn({}, OWN_MESSAGES_MISSED);
      report.degraded('inbound-dead');
      return;
    }
    const why = reason ?? 'unknown';
    const problem = `The platform does not reach the agent at its reportedUrl: ${why}.`;
    const error = new ConfigurationError(problem, { hint: deliveryHint(why) });
    const minutes = Math.round(this.#probeAfterMs / 60_000);
    const text = `No message came for ${minutes} min, and the platform, asked twice, does not reach the agent at its reportedUrl: messages are not pushed.`;
    logger.warn({ error, reason: why, ...(status === null ? {} : { status }) }, text);
    report.degraded('inbound-dead', error);
  }

  /**
   * Sends the agent a message, which has to come by the feed: reads that succeed and bring nothing, of the wrong workspace or from a
   * stale copy, look the same as no messages. `null` when it is not known whether it came; the message aborts the signal.
   */
  async #askItself(signal: AbortSignal): Promise<ProbeResult | null> {
    const { settings, logger } = this.#options;
    const { port } = settings;
    if (!this.#isReading) return null;
    const messageId = `${OWN_MESSAGE_ID}${randomUUID()}`;
    this.#sent = [...this.#sent.slice(-MISSES_UNTIL_DEAD), messageId];
    try {
      await port.sendInboundProbe(messageId, { signal });
    } catch (error) {
      // Whether the platform can be reached is not the question here.
      this.#sent = this.#sent.filter((id) => id !== messageId);
      if (!signal.aborted) logger.debug({ error }, 'A message to the agent itself could not be sent.');
      return null;
    }
    const timeoutMs = Math.max(OWN_MESSAGE_MS, this.delivery.expectedSilenceMs);
    await this.#clock.sleep(timeoutMs, { signal, keepAlive: false }).catch(() => {});
    if (this.#isReading) return { isReachable: false, reason: null };
    // What could not be read is not missing.
    this.#forget();
    return null;
  }

  /** Whether a message that is sent now would be read, on a platform where messages to oneself come and end without an answer. */
  get #isReading(): boolean {
    const { capabilities } = this.#options.settings.port;
    const isOffered = capabilities.has('acknowledge') && capabilities.has('outcomes');
    return isOffered && this.#options.mayRead() && !this.#isStale;
  }

  /** Asks the platform whether it reaches the agent; `null` when that is not known. */
  async #askPlatform(signal: AbortSignal): Promise<ProbeResult | null> {
    const { settings, logger } = this.#options;
    const { port, inboundAuth } = settings;
    if (inboundAuth !== 'peer-tokens') return { isReachable: false, reason: 'inbound_auth' };
    if (!port.capabilities.has('probe')) return { isReachable: false, reason: 'not_offered' };
    try {
      return await port.probe(port.reportedUrl ?? '', { signal });
    } catch (error) {
      if (!signal.aborted) logger.debug({ error }, 'Whether the platform reaches the agent is not known.');
      return isRefused(error) ? { isReachable: false, reason: 'probe_refused' } : null;
    }
  }

  async #checkReach(): Promise<void> {
    const signal = this.#life;
    const switched = this.#switched;
    if (signal === undefined || switched === null) return;
    this.#isAskedAgain = false;
    const result = await this.#askPlatform(signal);
    // A platform that cannot be asked cannot be registered with either.
    const isKnown = result !== null && !(result.reason === 'probe_refused' && switched.name === 'push');
    if (isKnown && !signal.aborted) await this.#reached(result, switched, signal);
    if (signal.aborted) return;
    const retryMs = RETRY_DELAYS_MS[Math.min(this.#failures, RETRY_DELAYS_MS.length) - 1] ?? RECHECK_MS;
    const pauseMs = switched.name === 'push' ? RECHECK_MS : retryMs;
    const isNow = this.#isAskedAgain;
    this.#plan('reach', isNow ? 0 : pauseMs * (0.75 + 0.25 * this.#options.settings.random()));
  }

  /** Registers in the other mode when that is due, and says how messages come in, once for each reason. */
  async #reached(result: ProbeResult, switched: SwitchedDelivery, signal: AbortSignal): Promise<void> {
    const { register, logger } = this.#options;
    this.#failures = result.isReachable ? 0 : this.#failures + 1;
    const mode = result.isReachable ? 'push' : 'long-poll';
    if (mode !== switched.name) {
      try {
        await switched.switchTo(mode, () => register(signal));
      } catch (error) {
        if (signal.aborted) return;
        const level = isRefused(error) ? 'warn' : 'debug';
        logger[level]({ error, mode }, 'The delivery could not be switched.');
        return;
      }
    }
    this.#reportDelivery(mode, result);
  }

  #reportDelivery(mode: SwitchedDelivery['name'], { reason, status = null }: ProbeResult): void {
    const { logger, report, onPushed } = this.#options;
    const before = this.deliveryReason;
    this.deliveryReason = reason;
    if (reason === before) return;
    if (reason === null) logger.info({ mode }, 'Messages are pushed from now on.');
    else {
      const fields = { mode, reason, ...(status === null ? {} : { status }), hint: deliveryHint(reason) };
      const text = 'Messages are not pushed: the platform has not reached the agent at its reportedUrl.';
      logger.warn(fields, text);
    }
    if (before !== undefined && (reason === null) === (before === null)) return;
    if (mode === 'push') onPushed();
    report.emit('delivery-changed', mode, reason);
  }

  #watchDead(): void {
    const { report } = this.#options;
    report.on('started', () => this.#deadChanged());
    report.on('degraded', (reason, error) => {
      if (SIGNS[reason].isDead || reason === 'rate-limited') this.#lastError = error;
      this.#deadChanged();
    });
    report.on('recovered', () => this.#deadChanged());
    report.on('paused', () => {
      this.#isPaused = true;
      this.#deadChanged();
    });
    report.on('resumed', () => {
      this.#isPaused = false;
      this.#deadChanged();
    });
  }

  #deadChanged(): void {
    const now = this.#clock.monotonic();
    if (this.#checkedAt === undefined) {
      this.#checkedAt = now;
      this.#plan('dead', DEAD_CHECK_MS);
    }
    if (this.#deadReasons.length === 0 || this.#isPaused) this.#deadMs = null;
    else this.#deadMs ??= this.#checkedAt - now;
  }

  get #deadReasons(): readonly DegradedReason[] {
    return this.#options.report.degradedReasons.filter((reason) => SIGNS[reason].isDead);
  }

  /** Only time in which the process ran, and the workspace was not paused, counts. */
  #checkDead(now: number, lateMs: number): void {
    const { settings, lastHeartbeat, isEnding } = this.#options;
    const { heartbeatIntervalMs: intervalMs, exitAfterMs } = settings;
    if (isEnding() || exitAfterMs === null) return;
    const passedMs = DEAD_CHECK_MS + (lateMs > LATE_MS ? 0 : lateMs);
    const acceptedMs = now - (lastHeartbeat() ?? Number.NEGATIVE_INFINITY);
    this.#checkedAt = now;
    if (lateMs > LATE_MS) this.#notBefore ??= now + ANOTHER_ROUND_MS;
    this.#silentMs = this.#isPaused ? 0 : Math.min(this.#silentMs + passedMs, acceptedMs);
    if (this.#deadMs !== null) {
      const isOnlyUnreachable = this.#deadReasons.every((reason) => reason === 'platform-unreachable');
      const deadMs = this.#deadMs + passedMs;
      this.#deadMs = isOnlyUnreachable ? Math.min(deadMs, acceptedMs) : deadMs;
    }
    const isDead =
      (this.#deadMs ?? 0) >= exitAfterMs ||
      this.#silentMs >= Math.max(exitAfterMs, SILENT_INTERVALS * intervalMs);
    if (isDead && now >= (this.#notBefore ?? now)) {
      this.#endProcess(exitAfterMs);
      return;
    }
    if (this.#deadMs === null && this.#silentMs < intervalMs) this.#notBefore = undefined;
    this.#plan('dead', DEAD_CHECK_MS);
  }

  /** A supervisor then starts it again. */
  #endProcess(afterMs: number): void {
    const { logger, stop } = this.#options;
    const fields = {
      reasons: this.#deadReasons,
      lastHeartbeatAgeMs: Math.round(this.#silentMs),
      exitCode: DEAD_EXIT_CODE,
      error: this.#lastError,
    };
    const minutes = Math.round(afterMs / 6_000) / 10;
    logger.error(
      fields,
      `The agent has been dead for ${minutes} min: the process ends, to be started again.`,
    );
    const limit = this.#clock.setTimer(STOP_MS, () => process.exit(DEAD_EXIT_CODE));
    void stop({ timeoutMs: HANDLERS_MS }).finally(() => {
      limit.cancel();
      process.exit(DEAD_EXIT_CODE);
    });
  }
}

/** Reasons why the platform did not probe. */
const NOT_PROBED: ReadonlySet<string | null> = new Set(['inbound_auth', 'not_offered', 'probe_refused']);

function isRefused(error: unknown): boolean {
  return MoleculeError.isInstance(error) && !error.isRetryable;
}

/**
 * Push or long-poll, as the watch decides. Messages can come both ways for a moment after a switch: copies are dropped. After a switch
 * to long-poll it reads everything that is not acknowledged, and holds the acknowledged position back, until no push can be under way any more.
 */
class SwitchedDelivery implements InboundDelivery {
  name: 'push' | 'long-poll' = 'long-poll';
  readonly #clock: Clock;
  readonly #push = new PushDelivery();
  readonly #longPoll: LongPollDelivery;
  #settlesAt = Number.NEGATIVE_INFINITY;
  #phase: LinkedAbort | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    const fromAcknowledged = () => this.isPositionHeld;
    this.#longPoll = new LongPollDelivery({}, { isUnacknowledgedOnly: true, fromAcknowledged });
  }

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
    return this.name === 'long-poll' && this.#clock.monotonic() < this.#settlesAt;
  }

  get #current(): InboundDelivery {
    return this.name === 'push' ? this.#push : this.#longPoll;
  }

  /** Rejects, and stays as it was, when `register` does. */
  async switchTo(name: SwitchedDelivery['name'], register: () => Promise<unknown>): Promise<void> {
    const before = this.name;
    this.name = name;
    if (name === 'long-poll') this.#settlesAt = this.#clock.monotonic() + SETTLE_MS;
    try {
      await register();
    } catch (error) {
      this.name = before;
      throw error;
    }
    this.#phase?.abort();
  }

  async run(context: DeliveryContext, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#phase = linkAbort(signal);
      await keepDelivering(this.#current, context, this.#phase.signal);
    }
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
