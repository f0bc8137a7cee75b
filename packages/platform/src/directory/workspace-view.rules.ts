import {
  type AgentCard,
  BODY_LIMITS,
  type DeliveryMode,
  type RuntimeMetadata,
  type WorkspaceDetail,
  type WorkspaceListRow,
  type WorkspaceStatus,
} from '@molecule-ai/protocol';
import type { WorkspaceRow } from '../database/schema.ts';
import { tooLarge } from '../http/http-error.ts';

/** A row of `GET /workspaces`. */
export function toListRow(row: WorkspaceRow): WorkspaceListRow {
  return {
    ...sharedFields(row),
    current_task: row.current_task,
    workspace_dir: row.workspace_dir,
    monthly_spend: row.monthly_spend,
    budget_limit: row.budget_limit,
  };
}

/** The response of `GET /workspaces/:id`. What the agent says of its failures is not for its peers. */
export function toDetail(row: WorkspaceRow, { isForPeer }: { readonly isForPeer: boolean }): WorkspaceDetail {
  return {
    ...sharedFields(row),
    ...(isForPeer ? { last_sample_error: '' } : {}),
    last_outbound_at: row.last_outbound_at,
  };
}

/** The JSON text of a card as it is stored. 413 when it is larger than a card may be. */
export function cardText(card: AgentCard): string {
  const text = JSON.stringify(card);
  const bytes = Buffer.byteLength(text);
  if (bytes > BODY_LIMITS.agentCard) throw tooLarge('agent_card', bytes, BODY_LIMITS.agentCard);
  return text;
}

/** The stored card; null when the agent has sent none. */
export function cardOf(row: Pick<WorkspaceRow, 'agent_card'>): AgentCard | null {
  return row.agent_card === null ? null : (JSON.parse(row.agent_card) as AgentCard);
}

/** Of the last heartbeat; null when that did not say. */
function lagOf({ runtime_metadata: metadata }: WorkspaceRow): number | null {
  if (metadata === null || !metadata.includes('event_loop_lag_ms')) return null;
  return (JSON.parse(metadata) as RuntimeMetadata).event_loop_lag_ms ?? null;
}

function sharedFields(row: WorkspaceRow) {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    tier: row.tier,
    status: row.status as WorkspaceStatus,
    url: row.url ?? '',
    parent_id: row.parent_id,
    agent_card: cardOf(row),
    active_tasks: row.active_tasks,
    max_concurrent_tasks: row.max_concurrent_tasks,
    last_error_rate: row.last_error_rate,
    last_sample_error: row.last_sample_error,
    uptime_seconds: row.uptime_seconds,
    runtime: row.runtime,
    x: row.x,
    y: row.y,
    collapsed: row.collapsed !== 0,
    delivery_mode: row.delivery_mode as DeliveryMode,
    last_heartbeat_at: row.last_heartbeat_at,
    wedged: row.runtime_state === 'wedged',
    event_loop_lag_ms: lagOf(row),
    created_at: row.created_at,
    updated_at: row.updated_at,
    removed_at: row.removed_at,
  };
}
