import type { HeartbeatMetrics } from '../client/heartbeat.ts';
import type { PlatformClient } from '../client/platform-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { HeartbeatThread } from '../heartbeat-worker/heartbeat-thread.ts';
import type { RepeatedHeartbeat } from '../heartbeat-worker/worker-messages.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import { WakeableSleep } from '../time/linked-abort.ts';
import { eventLoopLag } from './event-loop-lag.ts';
import { HeartbeatRound, type RoundResult } from './heartbeat-round.ts';
import {
  isFinal,
  type PresenceChange,
  type PresenceEvent,
  type PresenceState,
  reportPresence,
  stepPresence,
} from './presence-machine.ts';
import { Reregistration } from './registration-retry.ts';

const DEBOUNCE_MS = 250;
const MIN_GAP_MS = 2_000;
const FAILURES_UNTIL_DEGRADED = 2;
/** Pauses after the first, second, third … consecutive failure, in milliseconds; the last one repeats. */
const RETRY_DELAYS_MS = [2_000, 5_000, 10_000, 20_000, 30_000] as const;
const LONGEST_RETRY_MS = 30_000;

export interface HeartbeatLoopOptions {
  readonly client: Pick<PlatformClient, 'register' | 'heartbeat' | 'pollState' | 'getWorkspace'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  /** Maximum time from one heartbeat to the next, in milliseconds. */
  readonly intervalMs: number;
  /** Opens what sends heartbeats from another thread; `null` or none: they are sent from this one. */
  readonly openThread?:
    | ((onRepeated: (heartbeat: RepeatedHeartbeat) => void) => HeartbeatThread | null)
    | undefined;
  readonly metrics: () => HeartbeatMetrics;
  /** Must not throw. */
  readonly onChange: (change: PresenceChange, error: unknown) => void;
}

/**
 * Sends heartbeats and monitors the state of the workspace, until a final state or an abort. It shares only a function
 * that reads metrics with message handling, so a handler that awaits for minutes does not delay heartbeats.
 */
export class HeartbeatLoop {
  readonly #options: HeartbeatLoopOptions;
  readonly #sleep: WakeableSleep;
  readonly #round: HeartbeatRound;
  readonly #reregistration: Reregistration;
  readonly #firstRound = Promise.withResolvers<void>();
  #state: PresenceState = 'starting';
  #failures = 0;
  #lastError: unknown;
  #isLimited = false;
  #thread: HeartbeatThread | null | undefined;
  #isAsked = false;
  /** How long the event loop was blocked, in milliseconds, when that was last reported to the platform; 0 once it is logged. */
  #wedgedMs = 0;
  /** Whether the heartbeats of this agent have a phase of their own. */
  #isSpread = false;
  #sent: HeartbeatMetrics | undefined;
  #lastSuccess: { readonly at: number; readonly monotonicMs: number } | undefined;

  constructor(options: HeartbeatLoopOptions) {
    this.#options = options;
    this.#sleep = new WakeableSleep(options.clock);
    this.#round = new HeartbeatRound(options);
    this.#reregistration = new Reregistration(options);
  }

  get state(): PresenceState {
    return this.#state;
  }

  /** Number of heartbeats that failed since the last success. */
  get consecutiveFailures(): number {
    return this.#failures;
  }

  /** Time of the last successful heartbeat, in milliseconds: `at` is Unix time, `monotonicMs` is for intervals. */
  get lastSuccess(): { readonly at: number; readonly monotonicMs: number } | undefined {
    return this.#lastSuccess;
  }

  /** Where heartbeats are sent from. */
  get place(): HeartbeatThread['place'] {
    return this.#thread?.place ?? 'main thread';
  }

  /** Largest delay of the event loop in the last minute, in milliseconds; `null` where it is not measured. */
  get eventLoopLagMs(): number | null {
    return this.#options.clock === systemClock ? eventLoopLag().largestMs : null;
  }

  /** Resolves when the first round has ended, with any result. */
  get firstRound(): Promise<void> {
    return this.#firstRound.promise;
  }

  /** Call when the metrics changed: sends a heartbeat soon, unless they are equal to the last ones sent. */
  metricsChanged(): void {
    this.#sleep.wake();
  }

  /**
   * Call when the platform says that the state of the workspace has changed: a pause applies at once, and the next
   * heartbeat, which is sent now, confirms it or brings what else has changed.
   */
  stateChanged(status: string): void {
    if (status === 'paused') this.#step('paused', undefined);
    this.#isAsked = true;
    this.#sleep.wake();
  }

  /** Call when what the platform said at the registration no longer holds: a heartbeat is sent now, and the agent registers. */
  registrationNeeded(): void {
    if (!this.#reregistration.request()) return;
    this.#isAsked = true;
    this.#sleep.wake();
  }

  /** Resolves with the final state, `stopped` when the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<PresenceState> {
    const endMeasuring = this.#options.clock === systemClock ? eventLoopLag().use() : undefined;
    try {
      this.#thread = this.#options.openThread?.((heartbeat) => this.#applyRepeated(heartbeat));
      while (!isFinal(this.#state)) {
        const startedAt = this.#options.clock.monotonic();
        await this.#sendHeartbeat(signal);
        this.#firstRound.resolve();
        if (!isFinal(this.#state)) await this.#waitForNextHeartbeat(startedAt, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#options.logger.error({ error }, 'The heartbeat loop failed.');
      this.#step('stop', error);
    }
    endMeasuring?.();
    await this.#thread?.close().catch(() => {});
    this.#firstRound.resolve();
    return this.#state;
  }

  async #sendHeartbeat(signal: AbortSignal): Promise<void> {
    const metrics = { eventLoopLagMs: this.eventLoopLagMs ?? undefined, ...this.#options.metrics() };
    const result = await this.#round.run(metrics, signal, this.#thread ?? undefined);
    this.#sent = metrics;
    this.#reportWedged();
    if (result.kind === 'limited') return this.#waitOut(result.error);
    this.#isLimited = false;
    if (result.kind === 'alive') {
      const paused = result.paused ?? this.#state === 'paused';
      await this.#reregistration.afterAlive(this.#state, { paused, status: result.status }, signal);
      this.#recordSuccess();
      this.#step(paused ? 'paused' : 'alive', undefined);
      return;
    }
    if (result.kind === 'deleted' || result.kind === 'rejected') return this.#step(result.kind, undefined);
    this.#recordFailure(result);
  }

  /** What the response said otherwise, the next heartbeat brings again: it is late, and is sent now. */
  #applyRepeated({ status, isWedged, blockedMs }: RepeatedHeartbeat): void {
    if (status !== null && status >= 200 && status < 300) this.#recordTime();
    if (!isWedged) return;
    this.#wedgedMs = Math.max(this.#wedgedMs, Math.round(blockedMs));
    this.#isAsked = true;
    this.#sleep.wake();
  }

  /** A long block brings many repeated heartbeats at once, before the end of the next heartbeat. */
  #reportWedged(): void {
    const blockedMs = this.#wedgedMs;
    this.#wedgedMs = 0;
    if (blockedMs === 0) return;
    const text = 'The event loop was blocked for so long that the agent was reported as wedged.';
    this.#options.logger.warn({ blockedMs }, text);
  }

  /** The platform is alive, so a limited heartbeat is not a failure. */
  #waitOut(error: unknown): void {
    const { logger } = this.#options;
    if (!this.#isLimited)
      logger.warn({ error }, 'The platform limits the rate of heartbeats; the next one waits.');
    this.#isLimited = true;
    this.#lastError = error;
  }

  #recordSuccess(): void {
    this.#failures = 0;
    this.#recordTime();
  }

  #recordTime(): void {
    const { clock } = this.#options;
    this.#lastSuccess = { at: clock.now(), monotonicMs: clock.monotonic() };
  }

  #recordFailure(result: Extract<RoundResult, { error: unknown }>): void {
    this.#failures += 1;
    this.#lastError = result.error;
    this.#reregistration.afterFailure();
    if (result.kind === 'unreachable' && this.#failures >= FAILURES_UNTIL_DEGRADED) {
      this.#step('unreachable', result.error);
    }
  }

  #step(event: PresenceEvent, error: unknown): void {
    const { state, change } = stepPresence(this.#state, event);
    this.#state = state;
    if (change === null) return;
    reportPresence(this.#options.logger, change, error);
    this.#options.onChange(change, error);
  }

  async #waitForNextHeartbeat(startedAt: number, signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, random } = this.#options;
    if (this.#failures > 0 || this.#isLimited) {
      const leftMs = startedAt + DEFAULT_HEARTBEAT_INTERVAL_MS - clock.monotonic();
      const retryMs = heartbeatRetryDelayMs(this.#failures, this.#lastError, random);
      await clock.sleep(Math.min(retryMs, Math.max(MIN_GAP_MS, leftMs)), { signal });
      return;
    }
    const delayMs = this.#isSpread ? nextHeartbeatDelayMs : firstHeartbeatDelayMs;
    this.#isSpread = true;
    const dueAt = startedAt + delayMs(intervalMs, random);
    for (;;) {
      const isWoken = await this.#sleep.sleep(dueAt - clock.monotonic(), signal);
      if (!isWoken || this.#takeAsked()) return;
      const debouncedAt = Math.max(clock.monotonic() + DEBOUNCE_MS, startedAt + MIN_GAP_MS);
      await clock.sleep(Math.min(debouncedAt, dueAt) - clock.monotonic(), { signal });
      if (clock.monotonic() >= dueAt || this.#hasChanges()) return;
    }
  }

  #takeAsked(): boolean {
    const isAsked = this.#isAsked;
    this.#isAsked = false;
    return isAsked;
  }

  #hasChanges(): boolean {
    const { activeTasks, currentTask } = this.#options.metrics();
    return activeTasks !== this.#sent?.activeTasks || currentTask !== this.#sent?.currentTask;
  }
}

/** Maximum time between two heartbeats, in milliseconds; they are sent after 90–100 % of it. */
export const DEFAULT_HEARTBEAT_INTERVAL_MS = 30_000;

/** Time from the start of a heartbeat to the start of the next, in milliseconds: at most `intervalMs`. */
export function nextHeartbeatDelayMs(intervalMs: number, random: RandomSource): number {
  return Math.floor(intervalMs * (0.9 + 0.1 * clampRandom(random)));
}

/**
 * Time from the first heartbeat to the second, in milliseconds: 10–100 % of `intervalMs`. Agents that start together, or find the
 * platform again together, do not send heartbeats together from then on, and so neither after an outage.
 */
export function firstHeartbeatDelayMs(intervalMs: number, random: RandomSource): number {
  return Math.floor(intervalMs * (0.1 + 0.9 * clampRandom(random)));
}

/** The pause after consecutive failure number `failures`, in milliseconds: 2, 5, 10, 20, then 30 s, minus up to 10 %. */
export function heartbeatRetryDelayMs(failures: number, error: unknown, random: RandomSource): number {
  const index = Math.min(Math.max(1, failures), RETRY_DELAYS_MS.length) - 1;
  const delay = RETRY_DELAYS_MS[index] ?? LONGEST_RETRY_MS;
  const requestedMs = MoleculeError.isInstance(error) ? (error.retryAfterMs ?? 0) : 0;
  return Math.min(
    Math.max(Math.floor(delay * (0.9 + 0.1 * clampRandom(random))), requestedMs),
    LONGEST_RETRY_MS,
  );
}

/** Limits the random number to 0–1, because a heartbeat must never be late or too frequent. */
function clampRandom(random: RandomSource): number {
  return Math.min(1, Math.max(0, random())) || 0;
}
