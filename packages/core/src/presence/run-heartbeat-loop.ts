import type { ClientPort } from '../client/client-port.ts';
import type { HeartbeatMetrics } from '../client/heartbeat.ts';
import { checkBoolean, checkNumbers, checkRandom } from '../settings/checked-values.ts';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import type { RandomSource } from '../time/backoff.ts';
import { linkAbort } from '../time/linked-abort.ts';
import { DEFAULT_HEARTBEAT_INTERVAL_MS, HeartbeatLoop, type HeartbeatLoopOptions } from './heartbeat-loop.ts';
import type { LoopOutcome } from './presence-machine.ts';

const NUMBERS = {
  // With a longer interval the platform would report the agent as offline.
  heartbeatIntervalMs: {
    byDefault: DEFAULT_HEARTBEAT_INTERVAL_MS,
    min: 1_000,
    max: DEFAULT_HEARTBEAT_INTERVAL_MS,
  },
  maxBlockMs: { byDefault: 300_000, min: 1_000, max: 86_400_000 },
} as const;

/** The current work of an agent that uses only the heartbeat loop. */
export interface TaskReport {
  readonly currentTask?: string | undefined;
  readonly activeTasks?: number | undefined;
}

/** How the presence of an agent depends on its event loop. */
export interface IsolationOptions {
  /**
   * Send heartbeats from a worker thread, one for all agents of the process, which repeats the last one while the event loop is
   * blocked. Not with an own `dispatcher` or `clock`. @default true
   */
  isolateHeartbeat?: boolean | undefined;
  /**
   * How long the event loop may be blocked before the agent is reported as `wedged`, in milliseconds, at least 1 000. Needs
   * `isolateHeartbeat`. @default 300_000
   */
  maxBlockMs?: number | undefined;
}

export interface HeartbeatLoopRunOptions extends IsolationOptions {
  /** Stops the loop, which then resolves with `stopped`; closing the client does as well. */
  signal?: AbortSignal | undefined;
  /** Called before each heartbeat. When it throws, the previous report is sent again. */
  taskSupplier?: (() => TaskReport) | undefined;
  /** Maximum time from one heartbeat to the next, in milliseconds, 1 000–30 000. @default 30_000 */
  heartbeatIntervalMs?: number | undefined;
  /** Source of jitter, from 0 to 1. @default Math.random */
  random?: RandomSource | undefined;
}

const HEARTBEAT_LOOP_OPTIONS = knownOptions<HeartbeatLoopRunOptions>({
  signal: true,
  taskSupplier: true,
  heartbeatIntervalMs: true,
  random: true,
  isolateHeartbeat: true,
  maxBlockMs: true,
});

/**
 * Sends heartbeats and monitors the state until the workspace is paused or removed, the token is revoked, or the signal
 * aborts. Outages of the platform do not end it. Register before.
 * @throws ConfigurationError for an interval outside 1 000–30 000 ms.
 */
export async function runHeartbeatLoop(
  client: Pick<ClientPort, 'clock' | 'logger' | 'register' | 'heartbeat' | 'pollState' | 'getWorkspace'> &
    Partial<Pick<ClientPort, 'openHeartbeatThread' | 'closeSignal'>>,
  options: HeartbeatLoopRunOptions = {},
): Promise<LoopOutcome> {
  checkOptionNames('runHeartbeatLoop', options, HEARTBEAT_LOOP_OPTIONS);
  const { clock, logger } = client;
  const startedAt = clock.monotonic();
  using ending = linkAbort(options.signal, client.closeSignal);
  let isPaused = false;
  let tasks = readReport({});
  const metrics = (): HeartbeatMetrics => {
    try {
      const report = options.taskSupplier?.();
      if (report) tasks = readReport(report);
    } catch (error) {
      logger.warn({ error }, 'taskSupplier failed; the previous report is sent again.');
    }
    const uptimeSeconds = Math.floor((clock.monotonic() - startedAt) / 1_000);
    return { ...tasks, errorRate: 0, sampleError: '', uptimeSeconds };
  };
  const checked = checkHeartbeats(options);
  const loop = new HeartbeatLoop({
    client,
    clock,
    logger,
    random: checkRandom(options.random),
    intervalMs: checked.heartbeatIntervalMs,
    openThread: threadOpener(client, checked),
    metrics,
    onChange: (change) => {
      if (change !== 'paused') return;
      isPaused = true;
      ending.abort();
    },
  });
  const state = await loop.run(ending.signal);
  if (isPaused) return 'paused';
  return state === 'removed' || state === 'revoked' ? state : 'stopped';
}

function readReport(report: TaskReport): Pick<HeartbeatMetrics, 'currentTask' | 'activeTasks'> {
  const count = Math.trunc(Number(report.activeTasks ?? 0));
  return {
    currentTask: String(report.currentTask ?? ''),
    activeTasks: Number.isSafeInteger(count) ? Math.max(0, count) : 0,
  };
}

/** The checked options. @throws ConfigurationError naming the option. */
export function checkHeartbeats(
  options: Pick<HeartbeatLoopRunOptions, keyof typeof NUMBERS | 'isolateHeartbeat'>,
) {
  const isolateHeartbeat = checkBoolean('isolateHeartbeat', options.isolateHeartbeat, true);
  return { ...checkNumbers(options, NUMBERS), isolateHeartbeat };
}

/** How a loop opens its thread; `undefined` when it needs none. */
export function threadOpener(
  client: Partial<Pick<ClientPort, 'openHeartbeatThread'>>,
  { isolateHeartbeat, maxBlockMs, heartbeatIntervalMs: intervalMs }: ReturnType<typeof checkHeartbeats>,
): HeartbeatLoopOptions['openThread'] {
  if (!isolateHeartbeat) return undefined;
  return (onRepeated) => client.openHeartbeatThread?.({ maxBlockMs, intervalMs, onRepeated }) ?? null;
}
