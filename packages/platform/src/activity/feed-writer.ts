import { randomUUID } from 'node:crypto';
import { BODY_LIMITS, type ReportActivityRequest } from '@molecule-ai/protocol';
import { type RawBuilder, sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import type { PreparedQuery, Queryable, UnitOfWork } from '../database/platform-database.ts';
import { type ActivityRowRecord, CANVAS_CALLER } from '../database/schema.ts';
import { HttpError, tooLarge } from '../http/http-error.ts';
import { compactBeginning } from './activity-row.ts';

/** A row before its insert; the database assigns `seq`. */
type RowWithoutSeq = Omit<ActivityRowRecord, 'seq'>;

/** The columns of a new row; bodies are JSON text. */
type NewActivity = Pick<
  ActivityRowRecord,
  'workspace_id' | 'direction' | 'activity_type' | 'source_id' | 'status'
> &
  Partial<Omit<RowWithoutSeq, 'compact_row'>>;

type FeedWriterOptions = Pick<PlatformContext, 'database' | 'events' | 'settings' | 'workspaces'>;

/** Writes the activity feed: every row is inserted here. */
export class FeedWriter {
  /** Bytes that were added to each feed since it was measured; see `FeedRetention`. */
  readonly growth = new Map<string, number>();
  readonly #options: FeedWriterOptions;
  readonly #insert: PreparedQuery<RowWithoutSeq, { seq: number }>;

  constructor(options: FeedWriterOptions) {
    this.#options = options;
    this.#insert = options.database.prepare((db, row: RowWithoutSeq) =>
      db
        .insertInto('activity')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .returning('seq'),
    );
  }

  /**
   * Writes a row and its event; waiting readers are woken after the commit. Undefined, and nothing is written, when
   * there is a row with the same (caller, message id) or the same (workspace, idempotency key).
   *
   * @param layout where a compact row finds its texts in the request, see `storeRequest`
   */
  async record(
    unit: UnitOfWork,
    given: NewActivity,
    layout: string | null = null,
  ): Promise<ActivityRowRecord | undefined> {
    const { workspace_id: workspaceId } = given;
    if (workspaceId !== null) await unit.lock?.(workspaceId);
    const row: RowWithoutSeq = {
      ...DEFAULT_COLUMNS,
      id: orderedId(unit.now),
      caller: given.source_id ?? CANVAS_CALLER,
      created_at: unit.at,
      changed_at: unit.at,
      ...given,
    };
    row.compact_row = compactBeginning(row, layout);
    const [inserted] = (await this.#insert(row, unit.trx)).rows;
    if (inserted === undefined) return undefined;
    const record: ActivityRowRecord = Object.assign(row, { seq: Number(inserted.seq) });
    if (workspaceId === null) return record;
    this.grew(unit, workspaceId, bytesOf(record));
    const { seq: activitySeq, direction } = record;
    await this.#options.events.append(unit, { type: 'ACTIVITY_LOGGED', workspaceId, activitySeq, direction });
    return record;
  }

  /**
   * The same for what a workspace writes into its own feed. 429 when it has stored too much; a row that is due, such as
   * an answer, is only counted. See docs/contract/limits.md#own-rows.
   */
  async recordOwn(
    unit: UnitOfWork,
    row: NewActivity & { readonly workspace_id: string },
    { isDue = false } = {},
  ): Promise<ActivityRowRecord | undefined> {
    const record = await this.record(unit, row);
    if (record === undefined) return undefined;
    const { settings, workspaces } = this.#options;
    const limit = isDue ? NO_QUOTA : settings.limits.workspaceQuota;
    const fits = await workspaces.addOwnBytes(row.workspace_id, bytesOf(record), limit, unit.trx);
    if (fits) return record;
    throw new HttpError(429, 'quota_exceeded', 'the workspace has stored as much of its own as it may', {
      hint: `Notifications and reports may have ${settings.limits.workspaceQuota} bytes together. Write less; rows are deleted when they are older than the retention.`,
    });
  }

  /** Counts what was added to a feed, such as an answer. */
  grew(unit: UnitOfWork, workspaceId: string, bytes: number): void {
    unit.afterCommit(() => this.growth.set(workspaceId, (this.growth.get(workspaceId) ?? 0) + bytes));
  }

  /** Writes what an agent reports about its own work. 403 when it names another source. */
  async report(workspaceId: string, report: ReportActivityRequest): Promise<{ readonly id: string }> {
    const sourceId = report.source_id?.toLowerCase() ?? '';
    if (sourceId !== '' && sourceId !== workspaceId) {
      throw new HttpError(403, 'source_mismatch', 'source_id must match authenticated workspace', {
        field: 'source_id',
      });
    }
    const targetId = report.target_id === '' ? null : (report.target_id?.toLowerCase() ?? null);
    const request = report.request_body ?? report.metadata;
    const row = {
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
    const bytes = bytesOf(row) - ROW_OVERHEAD;
    if (bytes > BODY_LIMITS.reportedRow) {
      const size = (column: (typeof TEXTS)[number]) => Buffer.byteLength(row[column] ?? '');
      const [largest = 'request_body'] = [...TEXTS].sort((a, b) => size(b) - size(a));
      throw tooLarge(largest, bytes, BODY_LIMITS.reportedRow);
    }
    const { database, workspaces } = this.#options;
    const record = await database.transaction(async (unit) => {
      await workspaces.lock(unit, workspaceId);
      return this.recordOwn(unit, row);
    });
    if (record === undefined) throw new Error('A report has no key that could be known.');
    return record;
  }

  /** The row that was written with an idempotency key of the workspace. */
  findByKey(workspaceId: string, key: string, db: Queryable): Promise<ActivityRowRecord | undefined> {
    return db
      .selectFrom('activity')
      .selectAll()
      .where(({ and }) => and({ workspace_id: workspaceId, idempotency_key: key }))
      .executeTakeFirst();
  }
}

/**
 * A new UUID that starts with the time (version 7, RFC 9562). Rows that are written together are then adjacent in the
 * index of their ids, and a commit writes one page of it rather than one for each row.
 */
export function orderedId(now: number): string {
  const time = Math.trunc(now).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${randomUUID().slice(15)}`;
}

/** What a row costs besides its texts: its other columns and its places in indexes. */
const ROW_OVERHEAD = 512;
const TEXTS = ['request_body', 'response_body', 'summary', 'error_detail'] as const;

/** A limit that nothing exceeds. */
export const NO_QUOTA = 2 ** 52;

type RowTexts = Pick<ActivityRowRecord, (typeof TEXTS)[number]>;

/** Bytes that a row is counted with. */
function bytesOf(row: RowTexts): number {
  let bytes = ROW_OVERHEAD;
  for (const column of TEXTS) bytes += Buffer.byteLength(row[column] ?? '');
  return bytes;
}

/** The same in SQL. The database knows the length of a text without reading it. */
export function bytesInSql(): RawBuilder<number> {
  const lengths = TEXTS.map((column) => sql`octet_length(coalesce(${sql.ref(column)}, ''))`);
  return sql<number>`(${sql.join([sql.lit(ROW_OVERHEAD), ...lengths], sql` + `)})`;
}

/** Whether the workspace wrote a row into its own feed. */
export function isOwnRow(row: Pick<ActivityRowRecord, 'workspace_id' | 'caller' | 'message_id'>): boolean {
  return row.workspace_id !== null && row.caller === row.workspace_id && row.message_id === null;
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
