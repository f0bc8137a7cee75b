import type { ReportActivityRequest } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import { orderedId } from '../database/ordered-id.ts';
import type { Queryable, UnitOfWork } from '../database/platform-database.ts';
import type { ActivityRowRecord, WorkspaceRow } from '../database/schema.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { HttpError } from '../http/http-error.ts';
import { CANVAS_CALLER } from '../http/principal.ts';
import { timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';
import type { ClientConnection } from '../waiting/client-connection.ts';
import type { HeldText } from '../waiting/response-memory.ts';
import { ActivityStore, type RowWithoutSeq } from './activity.store.ts';
import { ActivityReader } from './activity-reader.ts';
import { compactBeginning } from './compact-row.rules.ts';
import { ControlRows } from './control-rows.ts';
import type { FeedPage } from './feed-pages.ts';
import type { FeedQuery, FeedView } from './feed-query.rules.ts';
import { FeedRetention } from './feed-retention.ts';
import { bytesOf, OwnRows, requireReportSize } from './own-rows.ts';
import { acknowledgedNow, acknowledgingSince, ReadingPositions } from './reading-positions.ts';

const PRUNE_EVERY_MS = 3_600_000;

/** The columns of a new row; bodies are JSON text. */
export type NewActivity = Pick<
  ActivityRowRecord,
  'workspace_id' | 'direction' | 'activity_type' | 'source_id' | 'status'
> &
  Partial<Omit<RowWithoutSeq, 'compact_row'>> & {
    /** Where a compact row finds its texts in the request, see `storeRequest`. */
    readonly layout?: string | null;
  };

/** The acknowledged position of a feed. */
export interface FeedPosition {
  /** Null when nothing was acknowledged yet, or the row was pruned since. */
  readonly id: string | null;
  readonly seq: number;
}

export interface ActivityServiceOptions extends PlatformContext {
  readonly workspaces: WorkspaceDirectory;
}

/** The activity feed. Every row is written here. */
export class ActivityService {
  /** Reports to agents outside their feed. */
  readonly control: ControlRows;
  /** How far agents that never acknowledge have read. */
  readonly positions: ReadingPositions;
  readonly #options: ActivityServiceOptions;
  readonly #ownRows: OwnRows;
  readonly #retention: FeedRetention;
  readonly #store: ActivityStore;
  readonly #feed: ActivityReader;
  readonly #tasks: RepeatedTasks;

  constructor(options: ActivityServiceOptions) {
    this.#options = options;
    this.control = new ControlRows(options);
    this.positions = new ReadingPositions(options);
    this.#ownRows = new OwnRows(options);
    this.#store = new ActivityStore(options);
    this.#retention = new FeedRetention({ ...options, store: this.#store, ownRows: this.#ownRows });
    this.#feed = new ActivityReader({ ...options, control: this.control, positions: this.positions });
    this.#tasks = new RepeatedTasks(options.clock, options.logger);
  }

  /**
   * Writes a row and its event; waiting readers are woken after the commit. Undefined, and nothing is written, when
   * there is a row with the same (caller, message id) or the same (workspace, idempotency key).
   */
  async record(unit: UnitOfWork, row: NewActivity): Promise<ActivityRowRecord | undefined> {
    const { clock } = this.#options;
    if (row.workspace_id !== null) await unit.lock(row.workspace_id);
    const now = timestamp(clock);
    const { layout = null, ...columns } = row;
    const whole: RowWithoutSeq = {
      ...DEFAULT_COLUMNS,
      id: orderedId(clock),
      caller: row.source_id ?? CANVAS_CALLER,
      created_at: now,
      changed_at: now,
      ...columns,
    };
    const stored = { ...whole, compact_row: compactBeginning(whole, layout) };
    const record = await this.#store.insert(stored, unit.trx);
    if (record === undefined || record.workspace_id === null) return record;
    this.grew(unit, record.workspace_id, bytesOf(record));
    await this.announce(unit, record);
    return record;
  }

  /**
   * The same for what a workspace writes into its own feed. 429 when it has stored too much; a row that is due, such as
   * an answer, is only counted.
   */
  async recordOwn(
    unit: UnitOfWork,
    row: NewActivity,
    options?: { readonly isDue: boolean },
  ): Promise<ActivityRowRecord | undefined> {
    const record = await this.record(unit, row);
    if (record !== undefined) await this.#ownRows.count(unit, record, options);
    return record;
  }

  /** Counts what was added to a feed, such as an answer. */
  grew(unit: UnitOfWork, workspaceId: string, bytes: number): void {
    unit.afterCommit(() => this.#retention.grew(workspaceId, bytes));
  }

  /** Publishes that a row is new or was changed; subscribers read the row. */
  announce(unit: UnitOfWork, row: Pick<ActivityRowRecord, 'workspace_id' | 'seq'>): Promise<void> {
    return this.#options.events.append(unit, {
      type: 'ACTIVITY_LOGGED',
      workspaceId: row.workspace_id,
      activitySeq: row.seq,
    });
  }

  /** Writes what an agent reports about its own work. 403 when it names another source. */
  async report(workspaceId: string, report: ReportActivityRequest): Promise<{ readonly id: string }> {
    const sourceId = report.source_id?.toLowerCase() ?? '';
    if (sourceId !== '' && sourceId !== workspaceId) {
      throw new HttpError(403, 'source_mismatch', 'source_id must match authenticated workspace', {
        extras: { field: 'source_id' },
      });
    }
    const targetId = report.target_id === '' ? null : (report.target_id?.toLowerCase() ?? null);
    const request = report.request_body ?? report.metadata;
    const id = orderedId(this.#options.clock);
    const row = {
      id,
      workspace_id: workspaceId,
      direction: 'out',
      activity_type: report.activity_type,
      method: report.method ?? null,
      source_id: workspaceId,
      target_id: targetId,
      peer_id: targetId === workspaceId ? null : targetId,
      summary: report.summary ?? null,
      request_body: request === undefined ? null : JSON.stringify(request),
      response_body: report.response_body === undefined ? null : JSON.stringify(report.response_body),
      status: report.status ?? 'ok',
      error_detail: report.error_detail ?? null,
      duration_ms: report.duration_ms ?? null,
    };
    requireReportSize(row);
    await this.#options.database.transaction(async (unit) => {
      await this.#options.workspaces.lock(unit, workspaceId);
      await this.recordOwn(unit, row);
    });
    return { id };
  }

  /** Reads one page; waits for a row if the query has `wait`. 410 for an unknown cursor. Release the page when it is sent. */
  read(
    workspaceId: string,
    query: FeedQuery,
    reader: { readonly isAgent: boolean },
    connection: Pick<ClientConnection, 'gone' | 'onGone'>,
  ): Promise<FeedPage> {
    return this.#feed.read(workspaceId, query, reader, connection);
  }

  /** Reads one row, never cut. 404 for a row that the feed does not have. Release it when it is sent. */
  async readRow(
    workspaceId: string,
    activityId: string,
    view: FeedView,
    reader: { readonly isAgent: boolean },
  ): Promise<HeldText> {
    const row = await this.#feed.pages.readRow(workspaceId, activityId.toLowerCase(), view, reader.isAgent);
    if (row !== undefined) return row;
    throw new HttpError(404, 'activity_not_found', 'activity row not found', {
      extras: { field: 'activity_id' },
    });
  }

  /** The row that was written with an idempotency key of the workspace. */
  findByKey(workspaceId: string, key: string, db: Queryable): Promise<ActivityRowRecord | undefined> {
    return this.#store.readByIdempotencyKey(workspaceId, key, db);
  }

  /** Number of messages that wait for their agent, for heartbeats and senders. */
  pendingCount(workspaceId: string, db?: Queryable): Promise<number> {
    const since = acknowledgingSince(this.#options.clock);
    return this.#store.countPending({ workspaceId, acknowledgingSince: since }, db);
  }

  /**
   * Moves the acknowledged position of a workspace forward, never back, and returns the position now; without `upTo`
   * it stays. 404 for a row that its feed does not have or does not show while it is paused, 400 for one that is not
   * inbound.
   */
  async advance(
    { trx }: UnitOfWork,
    workspace: WorkspaceRow,
    upTo: string | number | undefined,
  ): Promise<FeedPosition> {
    const { id: workspaceId } = workspace;
    const { clock, workspaces } = this.#options;
    const asked = upTo === undefined ? undefined : await this.#findPosition(workspaceId, upTo, trx);
    const now = acknowledgedNow(workspace, clock);
    const seq = await workspaces.acknowledge(workspaceId, asked?.seq ?? 0, now, trx);
    if (asked?.seq === seq) return asked;
    const last = await this.#store.readLastUpTo(workspaceId, seq, trx);
    return { id: last?.id ?? null, seq };
  }

  start(): void {
    this.#retention.start();
    this.#tasks.every('prune control rows', PRUNE_EVERY_MS, () => this.control.prune());
  }

  async stop(): Promise<void> {
    this.#feed.close();
    this.control.close();
    await this.#retention.stop();
    await this.#tasks.stop();
  }

  /**
   * The inbound row that an acknowledgement names: by id, or by `seq`, where any other value means the one before it.
   */
  async #findPosition(
    workspaceId: string,
    upTo: string | number,
    db: Queryable,
  ): Promise<{ id: string; seq: number }> {
    const named = typeof upTo === 'number' || /^\d{1,15}$/.test(upTo) ? Number(upTo) : undefined;
    if (named !== undefined) {
      const row = await this.#store.readLastUpTo(workspaceId, named, db);
      if (row !== undefined) return row;
    } else {
      const id = String(upTo).toLowerCase();
      const row = await this.#store.readPosition(workspaceId, id, db);
      if (row?.isInbound === true) return { id, seq: row.seq };
      if (row !== undefined) throw notInbound();
    }
    throw new HttpError(404, 'activity_not_found', 'activity row not found', { extras: { field: 'up_to' } });
  }
}

function notInbound(): HttpError {
  return new HttpError(400, 'invalid_request', 'up_to names a row that is not an inbound message', {
    extras: { field: 'up_to', hint: 'Acknowledge rows of type=a2a_receive with direction=in.' },
  });
}

/** Default columns: not a message, no outcome, no delivery. */
const DEFAULT_COLUMNS = {
  method: null,
  target_id: null,
  peer_id: null,
  message_id: null,
  context_id: null,
  conversation_id: null,
  trace_id: null,
  in_reply_to: null,
  summary: null,
  request_body: null,
  compact_row: null,
  passed_headers: null,
  response_body: null,
  agent_task_id: null,
  tool_trace: null,
  error_detail: null,
  duration_ms: null,
  idempotency_key: null,
  delivery_state: 'none',
  body_hash: null,
  answers_id: null,
  continues_id: null,
  continued_by: null,
  hops: 0,
  path: null,
  turns: 0,
  path_origin: null,
  attempts: 0,
  next_attempt_at: null,
  lease_owner: null,
  lease_until: null,
  failure: null,
  caller_receipt: 'none',
  expires_at: null,
  ended_at: null,
} satisfies Partial<RowWithoutSeq>;
