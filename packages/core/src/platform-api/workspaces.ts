import { type AgentCard, type JsonObject, routes } from '@molecule-ai/protocol';
import { WorkspaceRemovedError } from '../errors/api-error.ts';
import { flag, type OptionsOf } from '../settings/options.ts';
import { objectOf } from '../transport/http-response.ts';
import { type CallOptions, CallShape } from '../transport/platform-request.ts';
import { type PlatformApi, requestLine, unreadable } from './platform-api.ts';

export class GetWorkspaceShape extends CallShape {
  /** Returns a removed workspace instead of throwing. @default false */
  includeRemoved = flag(undefined);
}

export interface GetWorkspaceOptions extends OptionsOf<GetWorkspaceShape> {}

/** A workspace. Fields that an older platform does not send are `null`, `''` or 0. */
export interface WorkspaceInfo {
  readonly id: string;
  readonly name: string;
  readonly role: string | null;
  readonly tier: number | null;
  /** `awaiting_agent`, `online`, `degraded`, `offline`, `paused`, `removed` …; treat unknown values as running. */
  readonly status: string;
  /** The URL of the agent; `''` when it polls. */
  readonly url: string;
  readonly parentId: string | null;
  readonly runtime: string;
  readonly deliveryMode: string | null;
  readonly agentCard: AgentCard | null;
  readonly activeTasks: number;
  readonly currentTask: string;
  /** From 0 to 1. */
  readonly lastErrorRate: number;
  /** What the agent reported last of its failures; `''` for peers. */
  readonly lastSampleError: string;
  /** Whether the event loop of the agent has been blocked for too long; `lastSampleError` says for how long. */
  readonly isWedged: boolean;
  /** Largest delay of its event loop in the minute before `lastHeartbeatAt`, in milliseconds; `null` when it does not report it. */
  readonly eventLoopLagMs: number | null;
  readonly uptimeSeconds: number;
  /** RFC 3339. */
  readonly lastHeartbeatAt: string | null;
  /** The row as sent by the platform. */
  readonly raw: JsonObject;
}

export interface WorkspaceStateReport {
  readonly workspaceId: string;
  /** `online`, `paused`, `removed` …; treat unknown values as running. */
  readonly status: string;
  readonly paused: boolean;
  /** Removed, which is final. */
  readonly deleted: boolean;
  /** `paused || deleted`. */
  readonly shouldStop: boolean;
}

/**
 * Reads one workspace.
 * @throws WorkspaceRemovedError for a removed one, which platforms report as 410 or as 200 with that status.
 */
export async function getWorkspace(
  api: PlatformApi,
  workspaceId: string,
  { includeRemoved = false, signal }: GetWorkspaceOptions,
): Promise<WorkspaceInfo> {
  const query = { include_removed: includeRemoved || undefined };
  const input = { params: { id: workspaceId }, query, goneWorkspaceId: workspaceId, signal };
  const { body, status } = await api.send(routes.getWorkspace, input);
  const info = readWorkspaceInfo(body);
  if (info === undefined)
    throw unreadable(routes.getWorkspace, input, status, 'a workspace with an id was expected');
  if (info.status === 'removed' && !includeRemoved) {
    const line = requestLine(routes.getWorkspace, input);
    const about = { ...line, status, workspaceId: info.id };
    throw new WorkspaceRemovedError(`The workspace ${info.id} was removed.`, about);
  }
  return info;
}

/** Reads all workspaces except removed ones, oldest first, without invalid rows. */
export async function listWorkspaces(api: PlatformApi, { signal }: CallOptions): Promise<WorkspaceInfo[]> {
  const { body, status } = await api.send(routes.listWorkspaces, { signal });
  if (!Array.isArray(body)) throw unreadable(routes.listWorkspaces, {}, status, 'a list was expected');
  return body.map(readWorkspaceInfo).filter((info) => info !== undefined);
}

/**
 * Reads the state of a workspace. Only `deleted: true`, a 410 or the code `workspace_removed` mean that it is deleted; a
 * 404 without an error code comes from a gateway and throws `routing_problem`.
 */
export async function getWorkspaceState(
  api: PlatformApi,
  workspaceId: string,
  { isRetried, signal }: CallOptions & { readonly isRetried?: boolean | undefined },
): Promise<WorkspaceStateReport> {
  try {
    const params = { id: workspaceId };
    const input = { params, goneWorkspaceId: workspaceId, isRepeatable: isRetried, signal };
    const { status, paused, deleted } = await api.call(routes.getWorkspaceState, input);
    return { workspaceId, status, paused, deleted, shouldStop: paused || deleted };
  } catch (error) {
    if (!WorkspaceRemovedError.isInstance(error)) throw error;
    return { workspaceId, status: 'removed', paused: false, deleted: true, shouldStop: true };
  }
}

/** Reads a workspace row of any platform version; `undefined` if it is not an object with an id. Never throws. */
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
    isWedged: row.wedged === true,
    eventLoopLagMs: number(row.event_loop_lag_ms),
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
