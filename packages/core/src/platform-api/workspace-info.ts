import type { AgentCard, JsonObject } from '@molecule-ai/protocol';
import { objectOf } from '../transport/answer-text.ts';

/** A workspace as the platform shows it. What an older platform leaves out is `null`, `''` or 0. */
export interface WorkspaceInfo {
  readonly id: string;
  readonly name: string;
  readonly role: string | null;
  readonly tier: number | null;
  /** `awaiting_agent`, `online`, `degraded`, `offline`, `paused`, `removed` …; treat unknown words as running. */
  readonly status: string;
  /** Where the agent is reached; `''` when it polls. */
  readonly url: string;
  readonly parentId: string | null;
  readonly runtime: string;
  readonly deliveryMode: string | null;
  readonly agentCard: AgentCard | null;
  readonly activeTasks: number;
  readonly currentTask: string;
  /** From 0 to 1. */
  readonly lastErrorRate: number;
  readonly lastSampleError: string;
  readonly uptimeSeconds: number;
  /** RFC 3339. */
  readonly lastHeartbeatAt: string | null;
  /** The row itself. */
  readonly raw: JsonObject;
}

/** Reads a workspace row of any platform version; `undefined` when it is no object with an id. Never throws. */
export function readWorkspaceInfo(value: unknown): WorkspaceInfo | undefined {
  const row = objectOf(value);
  const id = row?.id;
  if (row === undefined || typeof id !== 'string' || id === '') return undefined;
  return {
    id,
    name: text(row.name) ?? '',
    role: text(row.role),
    tier: number(row.tier),
    status: text(row.status) ?? 'unknown',
    url: text(row.url) ?? '',
    parentId: text(row.parent_id),
    runtime: text(row.runtime) ?? '',
    deliveryMode: text(row.delivery_mode),
    agentCard: (objectOf(row.agent_card) as AgentCard | undefined) ?? null,
    activeTasks: number(row.active_tasks) ?? 0,
    currentTask: text(row.current_task) ?? '',
    lastErrorRate: number(row.last_error_rate) ?? 0,
    lastSampleError: text(row.last_sample_error) ?? '',
    uptimeSeconds: number(row.uptime_seconds) ?? 0,
    lastHeartbeatAt: text(row.last_heartbeat_at),
    raw: row as JsonObject,
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
