/**
 * The heartbeat loop. It shares nothing with message handling but a function that reads metrics, so a handler
 * that awaits for minutes delays no heartbeat.
 *
 * A handler that blocks the event loop itself still would. For that a worker thread can send instead: build a
 * `client` whose `heartbeat` posts the metrics to the worker and resolves with the worker's latest answer,
 * and let the worker repeat the last metrics by its own timer when the main thread has been silent for an
 * interval. This loop then runs unchanged; the worker needs the token (`currentToken()`) and the platform's URL.
 */

import type { HeartbeatMetrics } from '../client/heartbeat-report.ts';
import type { PlatformClient } from '../client/platform-client.ts';
import type { Logger } from '../logging/logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { Alarm } from './alarm.ts';
import { deferred } from './deferred.ts';
import { HeartbeatRound, type RoundResult } from './heartbeat-round.ts';
import { DEFAULT_HEARTBEAT_INTERVAL_MS, nextBeatInMs, retryInMs } from './heartbeat-timing.ts';
import {
  isFinal,
  type PresenceChange,
  type PresenceEvent,
  type PresenceState,
  stepPresence,
} from './presence-machine.ts';
import { reportPresence } from './report-presence.ts';
import { Reregistration } from './reregistration.ts';

const DEBOUNCE_MS = 250;
const MIN_GAP_MS = 2_000;
const FAILURES_UNTIL_DEGRADED = 2;

/** What a {@link HeartbeatLoop} needs. */
export interface HeartbeatLoopOptions {
  readonly client: Pick<PlatformClient, 'register' | 'heartbeat' | 'pollState' | 'getWorkspace'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomSource;
  /** Longest time from one heartbeat to the next, in milliseconds. */
  readonly intervalMs: number;
  readonly metrics: () => HeartbeatMetrics;
  /** Hears each change once; must not throw. */
  readonly onChange: (change: PresenceChange, error: unknown) => void;
}

/** Keeps the workspace alive and learns how it stands, until the end is final or the signal aborts. */
export class HeartbeatLoop {
  readonly #options: HeartbeatLoopOptions;
  readonly #alarm: Alarm;
  readonly #round: HeartbeatRound;
  readonly #reregistration: Reregistration;
  readonly #firstRound = deferred<void>();
  #state: PresenceState = 'starting';
  #failures = 0;
  #lastError: unknown;
  #sent: HeartbeatMetrics | undefined;
  #lastSuccess: { readonly at: number; readonly monotonicMs: number } | undefined;

  constructor(options: HeartbeatLoopOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
    this.#round = new HeartbeatRound(options);
    this.#reregistration = new Reregistration(options);
  }

  get state(): PresenceState {
    return this.#state;
  }

  /** Heartbeats in a row that were not taken. */
  get consecutiveFailures(): number {
    return this.#failures;
  }

  /** When the last heartbeat was taken: Unix time, and monotonic time for intervals, in milliseconds. */
  get lastSuccess(): { readonly at: number; readonly monotonicMs: number } | undefined {
    return this.#lastSuccess;
  }

  /** Settles when the first round is over, whatever it told. */
  get firstRound(): Promise<void> {
    return this.#firstRound.promise;
  }

  /** Says that the metrics changed: a heartbeat goes out soon, unless they are back to what was sent. */
  metricsChanged(): void {
    this.#alarm.ring();
  }

  /** Resolves with the final state; never rejects. An aborted signal means `stopped`. */
  async run(signal: AbortSignal): Promise<PresenceState> {
    try {
      while (!isFinal(this.#state)) {
        const startedAt = this.#options.clock.monotonic();
        await this.#beat(signal);
        this.#firstRound.resolve();
        if (!isFinal(this.#state)) await this.#waitForNext(startedAt, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#options.logger.error({ error }, 'The heartbeat loop failed.');
      this.#step('stop', error);
    }
    this.#firstRound.resolve();
    return this.#state;
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const metrics = this.#options.metrics();
    const result = await this.#round.run(metrics, signal);
    this.#sent = metrics;
    if (result.kind === 'alive') {
      await this.#reregistration.afterAlive(this.#state, result, signal);
      this.#noteSuccess();
      this.#step(result.paused ? 'paused' : 'alive', undefined);
      return;
    }
    if (result.kind === 'deleted' || result.kind === 'rejected') return this.#step(result.kind, undefined);
    this.#noteFailure(result);
  }

  #noteSuccess(): void {
    const { clock } = this.#options;
    this.#failures = 0;
    this.#lastSuccess = { at: clock.now(), monotonicMs: clock.monotonic() };
  }

  #noteFailure(result: Extract<RoundResult, { error: unknown }>): void {
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

  async #waitForNext(startedAt: number, signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, random } = this.#options;
    if (this.#failures > 0) {
      const leftMs = startedAt + DEFAULT_HEARTBEAT_INTERVAL_MS - clock.monotonic();
      const retryMs = retryInMs(this.#failures, this.#lastError, random);
      await clock.sleep(Math.min(retryMs, Math.max(MIN_GAP_MS, leftMs)), { signal });
      return;
    }
    const dueAt = startedAt + nextBeatInMs(intervalMs, random);
    for (;;) {
      const isRung = await this.#alarm.sleep(dueAt - clock.monotonic(), signal);
      if (!isRung) return;
      const settledAt = Math.max(clock.monotonic() + DEBOUNCE_MS, startedAt + MIN_GAP_MS);
      await clock.sleep(Math.min(settledAt, dueAt) - clock.monotonic(), { signal });
      if (clock.monotonic() >= dueAt || this.#hasNews()) return;
    }
  }

  #hasNews(): boolean {
    const { activeTasks, currentTask } = this.#options.metrics();
    return activeTasks !== this.#sent?.activeTasks || currentTask !== this.#sent?.currentTask;
  }
}
