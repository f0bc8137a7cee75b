import type { ClientPort } from '../client/client-port.ts';
import type { HeartbeatMetrics } from '../client/heartbeat.ts';
import { ApiError, WorkspaceRemovedError } from '../errors/api-error.ts';
import type { MoleculeErrorCode } from '../errors/error-codes.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { HeartbeatThread } from '../heartbeat-worker/heartbeat-thread.ts';
import type { RepeatedHeartbeat } from '../heartbeat-worker/worker-messages.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import { type Clock, systemClock, type Timer } from '../time/clock.ts';
import { linkAbort, withDeadline } from '../time/linked-abort.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { eventLoopLag } from './event-loop-lag.ts';
import {
  isFinal,
  type PresenceChange,
  type PresenceEvent,
  type PresenceState,
  reportPresence,
  stepPresence,
} from './presence-machine.ts';
import { Reregistration } from './registration-retry.ts';

/** Maximum time between two heartbeats, in milliseconds; they are sent after 90–100 % of it. */
export const DEFAULT_HEARTBEAT_INTERVAL_MS = 30_000;
const DEBOUNCE_MS = 250;
const MIN_GAP_MS = 2_000;
const FAILURES_UNTIL_DEGRADED = 2;
/** Pauses after the first consecutive failures, in milliseconds; then the longest one repeats. */
const RETRY_DELAYS_MS = [2_000, 5_000, 10_000, 20_000] as const;
const LONGEST_RETRY_MS = 30_000;
const CALL_TIMEOUT_MS = 10_000;
const UNAUTHORIZED_LIMIT = 3;
/** Errors that only the platform itself returns; a web page, a redirect or an outage confirms nothing. */
const CONFIRMS_REVOCATION: ReadonlySet<string> = new Set(['unauthorized', 'access_denied', 'not_found']);

/** What a heartbeat says of the workspace. */
interface ReportedState {
  readonly deleted: boolean;
  /** `null` when the platform did not say: then it is as before. */
  readonly paused: boolean | null;
  readonly status: string | null;
}

export interface HeartbeatLoopOptions {
  readonly client: Pick<ClientPort, 'register' | 'heartbeat' | 'pollState' | 'getWorkspace'>;
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
  state: PresenceState = 'starting';
  /** Number of heartbeats that failed since the last success. */
  consecutiveFailures = 0;
  /** Time of the last successful heartbeat, in milliseconds: `at` is Unix time, `monotonicMs` is for intervals. */
  lastSuccess: { readonly at: number; readonly monotonicMs: number } | undefined;
  /** Resolves when the first round has ended, with any result. */
  readonly firstRound: Promise<void>;
  readonly #endFirstRound: () => void;
  readonly #options: HeartbeatLoopOptions;
  readonly #reregistration: Reregistration;
  /** Number of consecutive 401; a failure to reach the platform does not change it. */
  #unauthorized = 0;
  #lastError: unknown;
  #isLimited = false;
  #thread: HeartbeatThread | null | undefined;
  /** Whether a heartbeat is to be sent before its time. */
  #isAsked = false;
  /** Ends the pause before the next heartbeat. */
  #wake: () => void = () => {};
  #startedAt = Number.NEGATIVE_INFINITY;
  /** Compares the metrics when it runs. */
  #comparison: Timer | undefined;
  /** How long the event loop was blocked, in milliseconds, when that was last reported to the platform; 0 once it is logged. */
  #wedgedMs = 0;
  /** Whether the heartbeats of this agent have a phase of their own. */
  #isSpread = false;
  #sent: HeartbeatMetrics | undefined;

  constructor(options: HeartbeatLoopOptions) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.firstRound = promise;
    this.#endFirstRound = resolve;
    this.#options = options;
    this.#reregistration = new Reregistration(options);
  }

  /** Where heartbeats are sent from. */
  get place(): HeartbeatThread['place'] {
    return this.#thread?.place ?? 'main thread';
  }

  /** Largest delay of the event loop in the last minute, in milliseconds; `null` where it is not measured. */
  get eventLoopLagMs(): number | null {
    return this.#options.clock === systemClock ? eventLoopLag().largestMs : null;
  }

  /** Call when the metrics changed: sends a heartbeat soon, unless they are equal to the last ones sent. */
  metricsChanged(): void {
    if (this.#comparison !== undefined || isFinal(this.state)) return;
    const { clock } = this.#options;
    const pauseMs = Math.max(DEBOUNCE_MS, this.#startedAt + MIN_GAP_MS - clock.monotonic());
    this.#comparison = clock.setTimer(pauseMs, () => {
      this.#comparison = undefined;
      const { activeTasks, currentTask } = this.#options.metrics();
      const isEqual = activeTasks === this.#sent?.activeTasks && currentTask === this.#sent?.currentTask;
      if (!isEqual) this.#askForHeartbeat();
    });
  }

  /**
   * Call when the platform says that the state of the workspace has changed: a pause applies at once, and the next
   * heartbeat, which is sent now, confirms it or brings what else has changed.
   */
  stateChanged(status: string): void {
    if (status === 'paused') this.#step('paused', undefined);
    this.#askForHeartbeat();
  }

  /** Call when what the platform said at the registration no longer holds: a heartbeat is sent now, and the agent registers. */
  registrationNeeded(): void {
    if (this.#reregistration.request()) this.#askForHeartbeat();
  }

  #askForHeartbeat(): void {
    this.#isAsked = true;
    this.#wake();
  }

  /** Resolves with the final state, `stopped` when the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<PresenceState> {
    const endMeasuring = this.#options.clock === systemClock ? eventLoopLag().use() : undefined;
    try {
      this.#thread = this.#options.openThread?.((heartbeat) => this.#applyRepeated(heartbeat));
      while (!isFinal(this.state)) {
        this.#startedAt = this.#options.clock.monotonic();
        this.#isAsked = false;
        await this.#sendHeartbeat(signal);
        this.#endFirstRound();
        if (!isFinal(this.state)) await this.#waitForNextHeartbeat(signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#options.logger.error({ error }, 'The heartbeat loop failed.');
      this.#step('stop', error);
    }
    this.#comparison?.cancel();
    endMeasuring?.();
    await this.#thread?.close().catch(() => {});
    this.#endFirstRound();
    return this.state;
  }

  async #sendHeartbeat(signal: AbortSignal): Promise<void> {
    const metrics = { eventLoopLagMs: this.eventLoopLagMs ?? undefined, ...this.#options.metrics() };
    this.#sent = metrics;
    const result = await this.#report(metrics, signal).catch((error: unknown) => ({ error }));
    this.#reportWedged();
    if ('error' in result) {
      signal.throwIfAborted();
      return this.#applyFailure(result.error, signal);
    }
    this.#unauthorized = 0;
    this.#isLimited = false;
    if (result.deleted) return this.#step('deleted', undefined);
    const paused = result.paused ?? this.state === 'paused';
    await this.#reregistration.afterAlive(this.state, { paused, status: result.status }, signal);
    this.consecutiveFailures = 0;
    this.#recordTime();
    this.#step(paused ? 'paused' : 'alive', undefined);
  }

  /** Sends a heartbeat and, if its response does not contain the pause state, polls the state. */
  async #report(metrics: HeartbeatMetrics, signal: AbortSignal): Promise<ReportedState> {
    const { client, logger } = this.#options;
    const thread = this.#thread;
    // The pause before the next heartbeat is longer than that of a retry, so that agents do not return together.
    const { paused, workspaceStatus } = await this.#call(signal, 'The heartbeat', (options) =>
      client.heartbeat(metrics, { ...options, isRetried: false, ...(thread && { thread }) }),
    );
    if (paused !== null) return { deleted: false, paused, status: workspaceStatus };
    // Older platforms also accept heartbeats of removed workspaces: only their state route reports the removal.
    try {
      // The next heartbeat says more than a retry, for which there may be no time.
      return await this.#call(signal, 'The state poll', (options) =>
        client.pollState({ ...options, isRetried: false }),
      );
    } catch (error) {
      if (hasCode(error, 'unauthorized') || WorkspaceRemovedError.isInstance(error)) throw error;
      signal.throwIfAborted();
      logger.debug({ error }, 'The heartbeat succeeded, but the state could not be read.');
      const isPaused = workspaceStatus === null ? null : workspaceStatus === 'paused';
      return { deleted: false, paused: isPaused, status: workspaceStatus };
    }
  }

  async #applyFailure(error: unknown, signal: AbortSignal): Promise<void> {
    if (hasCode(error, 'rate_limited')) return this.#waitOut(error);
    this.#isLimited = false;
    if (WorkspaceRemovedError.isInstance(error)) return this.#step('deleted', undefined);
    if (!hasCode(error, 'unauthorized')) return this.#recordFailure('unreachable', error);
    this.#unauthorized += 1;
    if (this.#unauthorized < UNAUTHORIZED_LIMIT) return this.#recordFailure(null, error);
    const rejection = await this.#explainRejection(signal);
    if (typeof rejection === 'string') this.#step(rejection, undefined);
    else this.#recordFailure('unreachable', rejection.error);
  }

  /** Reads the workspace after the last of several 401, to distinguish removal from revocation. */
  async #explainRejection(
    signal: AbortSignal,
  ): Promise<'deleted' | 'rejected' | { readonly error: unknown }> {
    try {
      await this.#call(signal, 'Reading the workspace', (options) =>
        this.#options.client.getWorkspace(options),
      );
      return 'rejected';
    } catch (error) {
      signal.throwIfAborted();
      if (WorkspaceRemovedError.isInstance(error)) return 'deleted';
      const isConfirmed = ApiError.isInstance(error) && CONFIRMS_REVOCATION.has(error.code);
      return isConfirmed ? 'rejected' : { error };
    }
  }

  #call<T>(signal: AbortSignal, what: string, work: (options: CallOptions) => Promise<T>): Promise<T> {
    const deadline = { clock: this.#options.clock, timeoutMs: CALL_TIMEOUT_MS, what, signal };
    return withDeadline(deadline, (inner) => work({ signal: inner }));
  }

  /** What the response said otherwise, the next heartbeat brings again: it is late, and is sent now. */
  #applyRepeated({ status, isWedged, blockedMs }: RepeatedHeartbeat): void {
    if (status !== null && status >= 200 && status < 300) this.#recordTime();
    if (!isWedged) return;
    this.#wedgedMs = Math.max(this.#wedgedMs, Math.round(blockedMs));
    this.#askForHeartbeat();
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

  #recordTime(): void {
    const { clock } = this.#options;
    this.lastSuccess = { at: clock.now(), monotonicMs: clock.monotonic() };
  }

  #recordFailure(event: 'unreachable' | null, error: unknown): void {
    this.consecutiveFailures += 1;
    this.#lastError = error;
    this.#reregistration.afterFailure();
    if (event !== null && this.consecutiveFailures >= FAILURES_UNTIL_DEGRADED) this.#step(event, error);
  }

  #step(event: PresenceEvent, error: unknown): void {
    const { state, change } = stepPresence(this.state, event);
    this.state = state;
    if (change === null) return;
    reportPresence(this.#options.logger, change, error);
    this.#options.onChange(change, error);
  }

  async #waitForNextHeartbeat(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, random } = this.#options;
    if (this.consecutiveFailures > 0 || this.#isLimited) {
      const leftMs = this.#startedAt + DEFAULT_HEARTBEAT_INTERVAL_MS - clock.monotonic();
      const retryMs = heartbeatRetryDelayMs(this.consecutiveFailures, this.#lastError, random);
      await clock.sleep(Math.min(retryMs, Math.max(MIN_GAP_MS, leftMs)), { signal });
      return;
    }
    // Agents that start together, or find the platform again together, do not send heartbeats together after the first one.
    const share = this.#isSpread ? 0.9 + 0.1 * random() : 0.1 + 0.9 * random();
    this.#isSpread = true;
    if (this.#isAsked) return;
    const pauseMs = this.#startedAt + Math.floor(intervalMs * share) - clock.monotonic();
    using woken = linkAbort(signal);
    this.#wake = () => woken.abort();
    await clock.sleep(Math.max(0, pauseMs), { signal: woken.signal }).catch((error: unknown) => {
      if (!this.#isAsked || signal.aborted) throw error;
    });
  }
}

/** The pause after consecutive failure number `failures`, in milliseconds: 2, 5, 10, 20, then 30 s, minus up to 10 %. */
export function heartbeatRetryDelayMs(failures: number, error: unknown, random: RandomSource): number {
  const delayMs = RETRY_DELAYS_MS[Math.max(1, failures) - 1] ?? LONGEST_RETRY_MS;
  const requestedMs = MoleculeError.isInstance(error) ? (error.retryAfterMs ?? 0) : 0;
  const pauseMs = Math.floor(delayMs * (0.9 + 0.1 * random()));
  return Math.min(Math.max(pauseMs, requestedMs), LONGEST_RETRY_MS);
}

function hasCode(error: unknown, code: MoleculeErrorCode): boolean {
  return MoleculeError.isInstance(error) && error.code === code;
}
