import type { HeartbeatRequest, HeartbeatResponse, RuntimeMetadata } from '@molecule-ai/protocol';

/** What the agent reports about its work. What is left out keeps the value of the heartbeat before. */
export interface HeartbeatMetrics {
  /** Shown to people; `''` while idle. */
  currentTask?: string | undefined;
  activeTasks?: number | undefined;
  /** From 0 to 1. */
  errorRate?: number | undefined;
  /** Name and code of the latest failure, never its text, because texts quote messages. */
  sampleError?: string | undefined;
  /** @default whole seconds since the client was made */
  uptimeSeconds?: number | undefined;
  /** US cents. */
  monthlySpendCents?: number | undefined;
  runtimeState?: '' | 'wedged' | undefined;
  runtimeMetadata?: RuntimeMetadata | undefined;
}

/** The platform's response; `null` where an older platform says nothing, and the state has to be polled. */
export interface HeartbeatReport {
  readonly workspaceStatus: string | null;
  readonly paused: boolean | null;
  /** Messages not yet acknowledged. */
  readonly pending: number | null;
  /** RFC 3339. */
  readonly serverTime: string | null;
}

/** The body of a heartbeat: every metric every time, because older platforms zero what is missing. */
export function heartbeatBody(
  workspaceId: string,
  metrics: HeartbeatMetrics,
  uptimeMs: number,
): HeartbeatRequest {
  const { monthlySpendCents, runtimeState, runtimeMetadata } = metrics;
  return {
    workspace_id: workspaceId,
    current_task: metrics.currentTask ?? '',
    active_tasks: metrics.activeTasks ?? 0,
    error_rate: metrics.errorRate ?? 0,
    sample_error: metrics.sampleError ?? '',
    uptime_seconds: Math.floor(metrics.uptimeSeconds ?? uptimeMs / 1_000),
    ...(monthlySpendCents === undefined ? {} : { monthly_spend: monthlySpendCents }),
    ...(runtimeState === undefined ? {} : { runtime_state: runtimeState }),
    ...(runtimeMetadata === undefined ? {} : { runtime_metadata: runtimeMetadata }),
  };
}

/** Reads the response to a heartbeat. */
export function readHeartbeatReport(response: HeartbeatResponse): HeartbeatReport {
  return {
    workspaceStatus: response.workspace_status ?? null,
    paused: response.paused ?? null,
    pending: response.pending ?? null,
    serverTime: response.server_time ?? null,
  };
}

/** `next` over `before`, leaving out what is not set. */
export function mergeMetrics(before: HeartbeatMetrics, next: HeartbeatMetrics): HeartbeatMetrics {
  const set = Object.entries(next).filter(([, value]) => value !== undefined);
  return { ...before, ...Object.fromEntries(set) };
}
