import type { ClientPort } from '../client/client-port.ts';
import type { HeartbeatMetrics } from '../client/heartbeat.ts';
import {
  abortSignal,
  checkBoolean,
  func,
  isObject,
  number,
  type OptionsOf,
  option,
  optionsSchema,
  parseOptions,
  type SettingsOf,
} from '../settings/options.ts';
import { linkAbort } from '../time/linked-abort.ts';
import { DEFAULT_HEARTBEAT_INTERVAL_MS, HeartbeatLoop, type HeartbeatLoopOptions } from './heartbeat-loop.ts';
import type { LoopOutcome } from './presence-machine.ts';

const DEFAULT_MAX_BLOCK_MS = 300_000;

/** The current work of an agent that uses only the heartbeat loop. */
export interface TaskReport {
  readonly currentTask?: string | undefined;
  readonly activeTasks?: number | undefined;
}

/** How heartbeats go on while the event loop is blocked. */
class IsolationShape {
  /**
   * How long the event loop may be blocked before the agent is reported as `wedged`, in milliseconds, at least 1 000.
   * @default 300_000
   */
  maxBlockMs = number({ min: 1_000, max: 86_400_000, byDefault: DEFAULT_MAX_BLOCK_MS });
}

/** Options of heartbeats. */
export class HeartbeatShape {
  /** Longest time between heartbeats, in milliseconds, 1 000–30 000. @default 30_000 */
  heartbeatIntervalMs = number({
    min: 1_000,
    // With a longer interval the platform would report the agent as offline.
    max: DEFAULT_HEARTBEAT_INTERVAL_MS,
    byDefault: DEFAULT_HEARTBEAT_INTERVAL_MS,
  });
  /**
   * Send heartbeats from a worker thread, one for all agents of the process, which repeats the last one while the event loop is
   * blocked. `maxBlockMs`: how long it may be blocked before the agent is reported as `wedged`, in milliseconds, by default 300 000. Not
   * with an own `dispatcher` or `clock`. @default true
   */
  isolateHeartbeat = option<number | null, boolean | OptionsOf<IsolationShape>>(
    (value = true, refuse) => {
      if (isObject(value)) return (value as SettingsOf<IsolationShape>).maxBlockMs;
      return checkBoolean(value, refuse) ? DEFAULT_MAX_BLOCK_MS : null;
    },
    { kind: '`true`, `false` or `{ maxBlockMs }`', group: optionsSchema(new IsolationShape()) },
  );
}

/** Options of the heartbeat loop. */
class HeartbeatLoopShape extends HeartbeatShape {
  /** Stops the loop, which then resolves with `stopped`; closing the client does as well. */
  signal = abortSignal();
  /** Called before each heartbeat. When it throws, the previous report is sent again. */
  taskSupplier = func<() => TaskReport>('Pass a function, such as () => ({ activeTasks: 1 }).');
}

export interface HeartbeatLoopRunOptions extends OptionsOf<HeartbeatLoopShape> {}

const HEARTBEAT_LOOP_OPTIONS = optionsSchema(new HeartbeatLoopShape());

/**
 * Sends heartbeats and monitors the state until the workspace is paused or removed, the token is revoked, or the signal
 * aborts. Outages of the platform do not end it. Register before.
 * @throws ConfigurationError for an interval outside 1 000–30 000 ms.
 */
export async function runHeartbeatLoop(
  client: Pick<ClientPort, 'clock' | 'logger' | 'register' | 'heartbeat' | 'pollState' | 'getWorkspace'> &
    Partial<Pick<ClientPort, 'openHeartbeatThread' | 'closeSignal' | 'random'>>,
  options: HeartbeatLoopRunOptions = {},
): Promise<LoopOutcome> {
  const given = parseOptions('runHeartbeatLoop', HEARTBEAT_LOOP_OPTIONS, options);
  const { clock, logger } = client;
  const startedAt = clock.monotonic();
  using ending = linkAbort(given.signal, client.closeSignal);
  let isPaused = false;
  let tasks = readReport({});
  const metrics = (): HeartbeatMetrics => {
    try {
      const report = given.taskSupplier?.();
      if (report) tasks = readReport(report);
    } catch (error) {
      logger.warn({ error }, 'taskSupplier failed; the previous report is sent again.');
    }
    const uptimeSeconds = Math.floor((clock.monotonic() - startedAt) / 1_000);
    return { ...tasks, errorRate: 0, sampleError: '', uptimeSeconds };
  };
  const loop = new HeartbeatLoop({
    client,
    clock,
    logger,
    random: client.random ?? Math.random,
    intervalMs: given.heartbeatIntervalMs,
    openThread: threadOpener(client, given),
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

/** How a loop opens its thread; `undefined` when it needs none. */
export function threadOpener(
  client: Partial<Pick<ClientPort, 'openHeartbeatThread'>>,
  { isolateHeartbeat: maxBlockMs, heartbeatIntervalMs: intervalMs }: SettingsOf<HeartbeatShape>,
): HeartbeatLoopOptions['openThread'] {
  if (maxBlockMs === null) return undefined;
  return (onRepeated) => client.openHeartbeatThread?.({ maxBlockMs, intervalMs, onRepeated }) ?? null;
}
