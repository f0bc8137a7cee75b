import type { Logger } from '../logging/logger.ts';
import { checkNumber } from '../settings/checked-values.ts';
import type { Clock, Timer } from '../time/clock.ts';
import type { AgentEventEmitter, DegradedReason } from './agent-events.ts';

const DEFAULT_AFTER_MS = 300_000;
/** The process ends so long after the error is logged, whether the agent has stopped or not. */
const STOP_MS = 5_000;
const HANDLERS_MS = 2_000;
/** `EX_SOFTWARE` of sysexits.h: other than a crash of Node (1) and signals (128 and more). */
const DEAD_EXIT_CODE = 70;

/** The agent neither sends heartbeats nor receives messages, and waiting has not helped. */
const DEAD: ReadonlySet<DegradedReason> = new Set(['platform-unreachable', 'inbound-stale', 'inbound-dead']);

/** `true` for five minutes. */
export type ExitWhenDead =
  | boolean
  | {
      /** How long the agent may be dead, in milliseconds, at least 10 000. @default 300_000 */
      readonly afterMs?: number | undefined;
    };

/** Returns the time in milliseconds; `null` for never. @throws ConfigurationError */
export function checkExitWhenDead(value: ExitWhenDead | undefined): number | null {
  if (value === undefined || value === false) return null;
  const { afterMs = DEFAULT_AFTER_MS } = value === true ? {} : value;
  return checkNumber('exitWhenDead.afterMs', afterMs, { min: 10_000 });
}

export interface DeadWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: AgentEventEmitter;
  readonly afterMs: number;
  readonly stop: (limits: { readonly timeoutMs: number }) => Promise<void>;
  /** @default ends the process */
  readonly exit?: ((code: number) => void) | undefined;
}

/**
 * Ends the process, with exit code 70, when the agent has been dead for too long: a supervisor then starts it again. Not while the
 * workspace is paused, and not when the agent ends for another reason.
 */
export function exitWhenDead({
  clock,
  logger,
  events,
  afterMs,
  stop,
  exit = endProcess,
}: DeadWatchOptions): void {
  const reasons = new Set<DegradedReason>();
  let lastError: unknown;
  let isPaused = false;
  let timer: Timer | undefined;
  const update = (): void => {
    if (reasons.size === 0 || isPaused) {
      timer?.cancel();
      timer = undefined;
    } else timer ??= clock.setTimer(afterMs, end);
  };
  const end = (): void => {
    const fields = { reasons: [...reasons], exitCode: DEAD_EXIT_CODE, error: lastError };
    const minutes = Math.round(afterMs / 6_000) / 10;
    logger.error(
      fields,
      `The agent has been dead for ${minutes} min: the process ends, to be started again.`,
    );
    const limit = clock.setTimer(STOP_MS, () => exit(DEAD_EXIT_CODE));
    void stop({ timeoutMs: HANDLERS_MS }).finally(() => {
      limit.cancel();
      exit(DEAD_EXIT_CODE);
    });
  };
  events.on('degraded', (reason, error) => {
    if (!DEAD.has(reason)) return;
    reasons.add(reason);
    lastError = error;
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
    update();
  });
  events.on('stopped', () => {
    reasons.clear();
    update();
  });
}

function endProcess(code: number): void {
  process.exit(code);
}
