import type { HeartbeatRequest, RuntimeMetadata } from '@molecule-ai/protocol';
import { cutText } from '../activity/activity-row.ts';
import type { WorkspaceRow, WorkspaceUpdate } from '../database/schema.ts';
import { cardText } from '../directory/workspace-view.rules.ts';
import type { NewEvent } from '../events/events.ts';

/** The columns that a heartbeat names, with the status after it, and the events that report what has changed. */
export interface HeartbeatOutcome {
  readonly change: WorkspaceUpdate & { readonly status: string };
  readonly events: readonly Omit<NewEvent, 'workspaceId'>[];
}

/** An agent is degraded from this error rate … */
const DEGRADED_FROM = 0.5;
/** … and online again below this one. */
const RECOVERED_BELOW = 0.1;
const MAX_TEXT = 1_000;
const MAX_SPEND_CENTS = 1e12;

/** A heartbeat ends these statuses, but not `paused` and `removed`. */
const ENDED_BY_HEARTBEAT: ReadonlySet<string> = new Set([
  'awaiting_agent',
  'provisioning',
  'failed',
  'hibernated',
  'offline',
]);

/** Applies one heartbeat. A missing metric keeps its value. See docs/contract/presence.md#heartbeat. */
export function evaluateHeartbeat(row: WorkspaceRow, beat: HeartbeatRequest): HeartbeatOutcome {
  const named = namedColumns(row, beat);
  const after = { ...row, ...named };
  const events: Omit<NewEvent, 'workspaceId'>[] = [];
  let { status } = row;
  if (ENDED_BY_HEARTBEAT.has(status)) {
    events.push({
      type: 'WORKSPACE_ONLINE',
      payload: status === 'offline' ? {} : { recovered_from: status },
    });
    status = 'online';
  }
  if (status === 'online') {
    const reasons = degradingReasons(after, beat);
    events.push(...reasons);
    if (reasons.length > 0) status = 'degraded';
  } else if (status === 'degraded' && hasRecovered(row, after)) {
    events.push({ type: 'WORKSPACE_ONLINE', payload: {} });
    status = 'online';
  }
  if (after.current_task !== row.current_task) {
    const { current_task, active_tasks } = after;
    events.push({ type: 'TASK_UPDATED', payload: { current_task, active_tasks } });
  }
  if (after.agent_card !== row.agent_card) events.push({ type: 'AGENT_CARD_UPDATED', payload: {} });
  return { change: { ...named, status }, events };
}

/** What the heartbeat leaves out keeps its value, which may change meanwhile and is not written back. */
function namedColumns(row: WorkspaceRow, beat: HeartbeatRequest): Partial<WorkspaceRow> {
  const spend = beat.monthly_spend ?? 0;
  const columns: { readonly [Column in keyof WorkspaceRow]?: WorkspaceRow[Column] | undefined } = {
    last_error_rate: beat.error_rate,
    last_sample_error: cut(beat.sample_error),
    active_tasks: beat.active_tasks,
    uptime_seconds: beat.uptime_seconds && Math.floor(beat.uptime_seconds),
    current_task: cut(beat.current_task),
    monthly_spend: spend > 0 ? Math.min(spend, MAX_SPEND_CENTS) : undefined,
    runtime_state: beat.runtime_state,
    runtime_metadata: metadataAfter(row.runtime_metadata, beat),
    agent_card: beat.agent_card && cardText(beat.agent_card),
  };
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
}

/** What is left out stays, but for the lag: it was measured with the heartbeat that named it. */
function metadataAfter(before: string | null, beat: HeartbeatRequest): string | undefined {
  if (beat.runtime_metadata !== undefined) return JSON.stringify(beat.runtime_metadata);
  if (before === null || !before.includes('event_loop_lag_ms')) return undefined;
  const { event_loop_lag_ms: _lag, ...rest } = JSON.parse(before) as RuntimeMetadata;
  return JSON.stringify(rest);
}

/** What an agent says of its work is shown in lists, and copied into an event when it changes. */
function cut(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cutText(text, MAX_TEXT);
}

/** Only an error rate in this heartbeat degrades the workspace; a stored one does not. */
function degradingReasons(after: WorkspaceRow, beat: HeartbeatRequest): Omit<NewEvent, 'workspaceId'>[] {
  const { last_error_rate: error_rate, last_sample_error: sample_error, runtime_state } = after;
  const byRate = beat.error_rate !== undefined && error_rate >= DEGRADED_FROM && !managesItself(after);
  const byState = runtime_state === 'wedged';
  return [
    ...(byRate ? [{ type: 'WORKSPACE_DEGRADED' as const, payload: { error_rate, sample_error } }] : []),
    ...(byState ? [{ type: 'WORKSPACE_DEGRADED' as const, payload: { runtime_state, sample_error } }] : []),
  ];
}

/** An agent that manages its status itself recovers when it is no longer wedged, whatever its error rate. */
function hasRecovered(row: WorkspaceRow, after: WorkspaceRow): boolean {
  if (after.runtime_state !== '') return false;
  if (managesItself(after)) return row.runtime_state === 'wedged';
  return after.last_error_rate < RECOVERED_BELOW;
}

function managesItself({ runtime_metadata }: WorkspaceRow): boolean {
  if (runtime_metadata === null) return false;
  const parsed = JSON.parse(runtime_metadata) as { capabilities?: Record<string, boolean> };
  return parsed.capabilities?.status_mgmt === true;
}
