import type { Logger } from '../logging/logger.ts';
import type { Clock, Timer } from '../time/clock.ts';
import type { DegradedReason } from './agent-events.ts';
import type { AgentReport } from './agent-report.ts';

/** The process ends so long after the error is logged, whether the agent has stopped or not. */
const STOP_MS = 5_000;
const HANDLERS_MS = 2_000;
const CHECK_MS = 5_000;
/** A timer that is this late shows that the event loop was blocked, or the process suspended: the agent could not try. */
const LATE_MS = 2_000;
const ANOTHER_ROUND_MS = 15_000;
/** Heartbeats may be so many intervals apart without a sign that something is wrong. */
const SILENT_INTERVALS = 3;
/** `EX_SOFTWARE` of sysexits.h: other than a crash of Node (1) and signals (128 and more). */
const DEAD_EXIT_CODE = 70;

/** The agent neither sends heartbeats nor receives messages, and waiting has not helped. */
const DEAD: ReadonlySet<DegradedReason> = new Set(['platform-unreachable', 'inbound-stale', 'inbound-dead']);

export interface DeadWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: Pick<AgentReport, 'on' | 'onEnd'>;
  readonly afterMs: number;
  /** Longest time between two heartbeats, in milliseconds. */
  readonly intervalMs: number;
  /** When the platform last accepted a heartbeat, on the monotonic clock. */
  readonly lastHeartbeat: () => number | undefined;
  /** Whether the agent is ending. */
  readonly isEnding: () => boolean;
  readonly stop: (limits: { readonly timeoutMs: number }) => Promise<void>;
}

/**
 * Ends the process, with exit code 70, when the agent has been dead for too long: a supervisor then starts it again. Not while the
 * workspace is paused, and not when the agent ends for another reason. Only time in which the process ran counts.
 */
export function exitWhenDead(options: DeadWatchOptions): void {
  const { clock, logger, events, afterMs, intervalMs, isEnding, stop } = options;
  const silentAfterMs = Math.max(afterMs, SILENT_INTERVALS * intervalMs);
  const reasons = new Set<DegradedReason>();
  let lastError: unknown;
  let isPaused = false;
  let hasEnded = false;
  let timer: Timer | undefined;
  /** Since when there have been reasons. */
  let deadSince: number | undefined;
  /** Since when no heartbeat has been accepted, whatever the reason: one that is limited is not unreachable. */
  let silentSince = 0;
  /** After a pause of the process there is time for another attempt; once for each time that the agent is dead. */
  let notBefore: number | undefined;

  const start = (): void => {
    if (timer !== undefined || hasEnded) return;
    silentSince = clock.monotonic();
    wait();
  };
  const wait = (): void => {
    const dueAt = clock.monotonic() + CHECK_MS;
    timer = clock.setTimer(CHECK_MS, () => {
      const now = clock.monotonic();
      if (isEnding()) finish();
      else if (isDead(now, now - dueAt)) end(now);
      else wait();
    });
  };
  const finish = (): void => {
    hasEnded = true;
    timer?.cancel();
  };
  const isDead = (now: number, lateMs: number): boolean => {
    if (isPaused) silentSince = now;
    if (lateMs > LATE_MS) {
      silentSince = Math.min(now, silentSince + lateMs);
      if (deadSince !== undefined) deadSince = Math.min(now, deadSince + lateMs);
      notBefore ??= now + ANOTHER_ROUND_MS;
    }
    const acceptedAt = options.lastHeartbeat() ?? silentSince;
    silentSince = Math.max(silentSince, acceptedAt);
    const isOnlyUnreachable = reasons.size === 1 && reasons.has('platform-unreachable');
    if (deadSince !== undefined && isOnlyUnreachable) deadSince = Math.max(deadSince, acceptedAt);
    const deadMs = deadSince === undefined ? 0 : now - deadSince;
    if (deadMs < afterMs && now - silentSince < silentAfterMs) {
      if (deadMs === 0 && now - silentSince < intervalMs) notBefore = undefined;
      return false;
    }
    return notBefore === undefined || now >= notBefore;
  };
  const end = (now: number): void => {
    finish();
    const fields = {
      reasons: [...reasons],
      lastHeartbeatAgeMs: Math.round(now - silentSince),
      exitCode: DEAD_EXIT_CODE,
      error: lastError,
    };
    const minutes = Math.round(afterMs / 6_000) / 10;
    const text = `The agent has been dead for ${minutes} min: the process ends, to be started again.`;
    logger.error(fields, text);
    const limit = clock.setTimer(STOP_MS, () => process.exit(DEAD_EXIT_CODE));
    void stop({ timeoutMs: HANDLERS_MS }).finally(() => {
      limit.cancel();
      process.exit(DEAD_EXIT_CODE);
    });
  };
  const update = (): void => {
    if (reasons.size === 0 || isPaused) deadSince = undefined;
    else deadSince ??= clock.monotonic();
    start();
  };

  events.on('started', start);
  events.on('degraded', (reason, error) => {
    if (DEAD.has(reason)) reasons.add(reason);
    if (DEAD.has(reason) || reason === 'rate-limited') lastError = error;
    update();
  });
  events.on('recovered', (reason) => {
    reasons.delete(reason);
    update();
  });
  events.on('paused', () => {
    isPaused = true;
    update();
  });
  events.on('resumed', () => {
    isPaused = false;
    silentSince = clock.monotonic();
    update();
  });
  events.onEnd(finish);
}
