import type { JsonValue } from '@molecule-ai/protocol';
import type { Kysely } from 'kysely';
import type { PlatformContext } from '../context.ts';
import { orderedId } from '../database/ordered-id.ts';
import type { ActivityRowRecord, Database } from '../database/schema.ts';
import { inTransaction, type UnitOfWork } from '../database/unit-of-work.ts';
import { type Clock, timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';
import type { WorkspaceLookup } from '../workspaces/workspace.lookup.ts';
import {
  acknowledgeRows,
  countPending,
  insertActivity,
  pruneActivity,
  readByIdempotencyKey,
  readRequestBody,
  type ToldActivity,
  updateActivity,
} from './activity.store.ts';
import { createFeedReader, type FeedReading } from './feed.service.ts';
import { findPosition } from './feed-position.ts';

const PRUNE_EVERY_MS = 3_600_000;
const PRUNE_BATCH = 1_000;
const DAY_MS = 24 * PRUNE_EVERY_MS;

/** A new row; what is left out is null. Bodies are given as values and stored as JSON. */
export interface NewActivity {
  readonly id?: string;
  readonly workspaceId: string;
  readonly direction: 'in' | 'out';
  readonly type: string;
  readonly method?: string | null;
  readonly sourceId?: string | null;
  readonly targetId?: string | null;
  readonly peerId?: string | null;
  readonly messageId?: string | null;
  readonly contextId?: string | null;
  readonly traceId?: string | null;
  readonly inReplyTo?: string | null;
  readonly summary?: string | null;
  readonly request?: JsonValue | undefined;
  readonly response?: JsonValue | undefined;
  readonly status: 'ok' | 'error' | 'timeout' | 'pending' | (string & {});
  readonly errorDetail?: string | null;
  readonly durationMs?: number | null;
  /** A state of protocol's `DELIVERY_STATES`; rows that are no message to the workspace have none. */
  readonly deliveryState?: string;
  readonly idempotencyKey?: string | null;
}

/** What may change about a row after it was written. */
export interface ActivityChange {
  readonly deliveryState?: string;
  readonly status?: 'ok' | 'error' | 'timeout' | 'pending';
  readonly response?: JsonValue;
  readonly toolTrace?: JsonValue;
  readonly errorDetail?: string;
  readonly durationMs?: number;
}

/** Called in the transaction that moved the position of a workspace's reader. */
export type AckListener = (unit: UnitOfWork, workspaceId: string, seq: number) => Promise<void>;

/** How far a reader has finished its feed. */
export interface AckPosition {
  readonly id: string;
  readonly seq: number;
  /** How many rows the acknowledgement newly covers. */
  readonly acknowledged: number;
}

/** The activity feed: rows of every room are written through it, agents and people read it. */
export interface ActivityService extends FeedReading {
  /** Writes a row and its `ACTIVITY_LOGGED` event; readers are woken after the commit. */
  record(unit: UnitOfWork, row: NewActivity): Promise<{ id: string; seq: number }>;
  /** Changes a row; `announce` writes `ACTIVITY_LOGGED` again with the new state. */
  change(unit: UnitOfWork, id: string, change: ActivityChange, announce: boolean): Promise<void>;
  /** The request of a row as it was stored, or undefined when the row is gone. */
  requestOf(id: string, db?: Kysely<Database>): Promise<JsonValue | undefined>;
  /** The row that an idempotency key of the workspace made. */
  findByKey(workspaceId: string, key: string, db?: Kysely<Database>): Promise<ActivityRowRecord | undefined>;
  /** Inbound messages that the agent has not finished; for the heartbeat's answer and the inbox ceiling. */
  pendingCount(workspaceId: string, db?: Kysely<Database>): Promise<number>;
  /** Moves the reader's position forward, never back (decision 12). */
  acknowledge(workspaceId: string, upTo: string | number): Promise<AckPosition>;
  onAcknowledged(listener: AckListener): void;
  start(): void;
  stop(): Promise<void>;
}

export function createActivityService(
  context: PlatformContext,
  workspaces: WorkspaceLookup,
): ActivityService {
  const { clock, events, settings, logger } = context;
  const ackListeners: AckListener[] = [];
  const reading = createFeedReader(context);
  const tasks = new RepeatedTasks(clock, logger);

  const announceRow = (unit: UnitOfWork, row: ToldActivity) =>
    events.append(unit, {
      type: 'ACTIVITY_LOGGED',
      workspaceId: row.workspace_id,
      payload: {
        activity_id: row.id,
        seq: Number(row.seq),
        activity_type: row.activity_type,
        method: row.method,
        summary: row.summary,
        status: row.status,
        source_id: row.source_id,
        target_id: row.target_id,
        duration_ms: row.duration_ms,
        ...(row.message_id === null ? {} : { message_id: row.message_id }),
        ...(row.delivery_state === NO_DELIVERY ? {} : { delivery_state: row.delivery_state }),
        ...(row.tool_trace === null ? {} : { tool_trace: JSON.parse(row.tool_trace) }),
      },
    });

  /** Rows older than the retention go, except the ones an agent has not finished (decision 12). */
  const prune = async () => {
    const before = timestamp(clock, -settings.activityRetentionDays * DAY_MS);
    let pruned = PRUNE_BATCH;
    while (pruned === PRUNE_BATCH && !tasks.stopped) {
      pruned = await pruneActivity(context.db, before, PRUNE_BATCH);
    }
  };

  return {
    ...reading,
    record: async (unit, row) => {
      const record = toRecord(row, clock);
      const seq = await insertActivity(unit.trx, record);
      await announceRow(unit, { ...record, seq });
      return { id: record.id, seq };
    },
    change: async (unit, id, change, announce) => {
      const row = await updateActivity(unit.trx, id, toColumns(change));
      if (row !== undefined && announce) await announceRow(unit, row);
    },
    requestOf: async (id, db = context.db) => {
      const body = await readRequestBody(db, id);
      return body === null ? undefined : (JSON.parse(body) as JsonValue);
    },
    findByKey: (workspaceId, key, db = context.db) => readByIdempotencyKey(db, workspaceId, key),
    pendingCount: (workspaceId, db = context.db) => countPending(db, workspaceId),
    acknowledge: (workspaceId, upTo) =>
      inTransaction(context.db, async (unit) => {
        const asked = await findPosition(unit.trx, workspaceId, upTo);
        const workspace = await workspaces.require(workspaceId, unit.trx);
        const position = Number(workspace.acknowledged_seq);
        if (asked.seq <= position) {
          const now = await findPosition(unit.trx, workspaceId, position);
          return { id: now.id, seq: position, acknowledged: 0 };
        }
        await workspaces.update(workspaceId, { acknowledged_seq: asked.seq }, unit.trx);
        const acknowledged = await acknowledgeRows(unit.trx, workspaceId, asked.seq);
        for (const listener of ackListeners) await listener(unit, workspaceId, asked.seq);
        return { ...asked, acknowledged };
      }),
    onAcknowledged: (listener) => void ackListeners.push(listener),
    start: () => tasks.every('prune the feed', PRUNE_EVERY_MS, prune),
    stop: async () => {
      reading.endReaders();
      await tasks.stop();
    },
  };
}

/** What `delivery_state` holds in rows that are no message to their workspace. */
const NO_DELIVERY = 'none';

function toRecord(row: NewActivity, clock: Clock): Omit<ActivityRowRecord, 'seq'> {
  return {
    id: row.id ?? orderedId(clock),
    workspace_id: row.workspaceId,
    direction: row.direction,
    activity_type: row.type,
    method: row.method ?? null,
    source_id: row.sourceId ?? null,
    target_id: row.targetId ?? null,
    peer_id: row.peerId ?? null,
    message_id: row.messageId ?? null,
    context_id: row.contextId ?? null,
    trace_id: row.traceId ?? null,
    in_reply_to: row.inReplyTo ?? null,
    summary: row.summary ?? null,
    request_body: row.request === undefined ? null : JSON.stringify(row.request),
    response_body: row.response === undefined ? null : JSON.stringify(row.response),
    tool_trace: null,
    status: row.status,
    error_detail: row.errorDetail ?? null,
    duration_ms: row.durationMs ?? null,
    delivery_state: row.deliveryState ?? NO_DELIVERY,
    idempotency_key: row.idempotencyKey ?? null,
    created_at: timestamp(clock),
  };
}

function toColumns(change: ActivityChange) {
  return {
    ...(change.deliveryState === undefined ? {} : { delivery_state: change.deliveryState }),
    ...(change.status === undefined ? {} : { status: change.status }),
    ...(change.response === undefined ? {} : { response_body: JSON.stringify(change.response) }),
    ...(change.toolTrace === undefined ? {} : { tool_trace: JSON.stringify(change.toolTrace) }),
    ...(change.errorDetail === undefined ? {} : { error_detail: change.errorDetail }),
    ...(change.durationMs === undefined ? {} : { duration_ms: change.durationMs }),
  };
}
