import { type HeartbeatRequest, type RuntimeMetadata, routes, toColumnText } from '@molecule-ai/protocol';
import {
  type HeartbeatThread,
  type HeartbeatThreadOptions,
  WorkerHeartbeats,
} from '../heartbeat-worker/heartbeat-thread.ts';
import { given, type OptionsOf } from '../settings/options.ts';
import { codeOfError, heartbeatSent } from '../telemetry/telemetry.ts';
import { systemClock } from '../time/clock.ts';
import { codeForStatus } from '../transport/api-failure.ts';
import type { RunningAgentOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

/** What the agent reports about its work. Omitted fields keep the value of the previous heartbeat. */
export interface HeartbeatMetrics extends OptionsOf<HeartbeatMetricsShape> {}

export class HeartbeatMetricsShape {
  /** Shown to users; `''` while idle. */
  currentTask = given<string>();
  activeTasks = given<number>();
  /** From 0 to 1. */
  errorRate = given<number>();
  /** Name and code of the latest failure; never its text, which can contain message content. */
  sampleError = given<string>();
  /** @default whole seconds since the client was created */
  uptimeSeconds = given<number>();
  /** US cents. */
  monthlySpendCents = given<number>();
  runtimeState = given<'' | 'wedged'>();
  runtimeMetadata = given<RuntimeMetadata>();
  /** Largest delay of the event loop of late, in whole milliseconds. Sent as part of `runtimeMetadata`. */
  eventLoopLagMs = given<number>();
}

/** The platform's response. Fields that an older platform does not send are `null`; then poll the state. */
export interface HeartbeatReport {
  readonly workspaceStatus: string | null;
  readonly paused: boolean | null;
  /** Number of messages not yet acknowledged. */
  readonly pending: number | null;
  /** RFC 3339. */
  readonly serverTime: string | null;
}

export interface HeartbeatOptions extends RunningAgentOptions {
  /** Sends it from the worker thread of this process. @default none: from the calling thread */
  thread?: HeartbeatThread | undefined;
}

/** The thread gets each new token until it is closed. */
export function openHeartbeatThread(
  { settings, logger, heartbeatThreads }: ClientContext,
  options: HeartbeatThreadOptions,
): HeartbeatThread | null {
  if (settings.dispatcher !== null || settings.clock !== systemClock) return null;
  const thread: HeartbeatThread = new WorkerHeartbeats({
    ...options,
    logger,
    proxy: settings.proxy,
    onClose: () => void heartbeatThreads.delete(thread),
    onRepeated: (heartbeat) => {
      heartbeatSent({
        'molecule.workspace.id': settings.workspaceId,
        'molecule.result': resultOf(heartbeat.status),
        'molecule.repeated': true,
      });
      options.onRepeated(heartbeat);
    },
  });
  heartbeatThreads.add(thread);
  return thread;
}

function resultOf(status: number | null): string {
  if (status === null) return 'connection_failed';
  return status < 400 ? 'ok' : codeForStatus(status, undefined);
}

/** Sends heartbeats, and keeps the metrics that a later one omits. */
export class Heartbeats {
  readonly #context: ClientContext;
  readonly #startedAt: number;
  #metrics: HeartbeatMetrics = {};

  constructor(context: ClientContext) {
    this.#context = context;
    this.#startedAt = context.settings.clock.monotonic();
  }

  async send(
    metrics: HeartbeatMetrics,
    { instanceId, isRetried, signal, thread }: HeartbeatOptions,
  ): Promise<HeartbeatReport> {
    const { settings, api, inboundSecret } = this.#context;
    const given = Object.entries(metrics).filter(([, value]) => value !== undefined);
    this.#metrics = { ...this.#metrics, ...Object.fromEntries(given) };
    let result = 'ok';
    try {
      const response = await api.call(routes.heartbeat, {
        // With a worker, each heartbeat ends what the worker may have reported.
        body: this.#body(thread === undefined ? undefined : ''),
        instanceId,
        signal,
        // A later heartbeat says more than a retry of this one.
        totalTimeoutMs: settings.requestTimeoutMs,
        isRepeatable: isRetried,
        through: thread && ((direct) => thread.through(direct)),
      });
      api.capabilities.readList(response.capabilities);
      await inboundSecret.keep(response.platform_inbound_secret);
      return {
        workspaceStatus: response.workspace_status ?? null,
        paused: response.paused ?? null,
        pending: response.pending ?? null,
        serverTime: response.server_time ?? null,
      };
    } catch (error) {
      result = codeOfError(error);
      throw error;
    } finally {
      heartbeatSent({ 'molecule.workspace.id': settings.workspaceId, 'molecule.result': result });
    }
  }

  /**
   * Contains every metric, because older platforms set missing ones to zero. A text that quotes a message may have
   * characters that the platform refuses, and an agent must not be offline for them.
   */
  #body(runtimeState: HeartbeatMetrics['runtimeState']): HeartbeatRequest {
    const { workspaceId, clock } = this.#context.settings;
    const metrics = this.#metrics;
    const uptimeSeconds = (clock.monotonic() - this.#startedAt) / 1_000;
    const lag = metrics.eventLoopLagMs;
    return {
      workspace_id: workspaceId,
      current_task: toColumnText(metrics.currentTask ?? ''),
      active_tasks: metrics.activeTasks ?? 0,
      error_rate: metrics.errorRate ?? 0,
      sample_error: toColumnText(metrics.sampleError ?? ''),
      uptime_seconds: Math.floor(metrics.uptimeSeconds ?? uptimeSeconds),
      monthly_spend: metrics.monthlySpendCents,
      runtime_state: metrics.runtimeState ?? runtimeState,
      runtime_metadata:
        lag === undefined ? metrics.runtimeMetadata : { ...metrics.runtimeMetadata, event_loop_lag_ms: lag },
    };
  }
}
