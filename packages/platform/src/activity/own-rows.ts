import { BODY_LIMITS } from '@molecule-ai/protocol';
import { type RawBuilder, sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import type { Queryable, UnitOfWork } from '../database/platform-database.ts';
import type { ActivityRowRecord } from '../database/schema.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { HttpError, tooLarge } from '../http/http-error.ts';

/** What a row costs besides its texts: its other columns and its places in indexes. */
const ROW_OVERHEAD = 512;
const TEXTS = ['request_body', 'response_body', 'summary', 'error_detail'] as const;

const NO_LIMIT = 2 ** 52;

type RowTexts = Pick<ActivityRowRecord, (typeof TEXTS)[number]>;

/** Bytes that a row is counted with. */
export function bytesOf(row: RowTexts): number {
  return TEXTS.reduce((sum, column) => sum + Buffer.byteLength(row[column] ?? ''), ROW_OVERHEAD);
}

/** The same in SQL. The database knows the length of a text without reading it. */
export function bytesInSql(): RawBuilder<number> {
  const lengths = TEXTS.map((column) => sql`octet_length(coalesce(${sql.ref(column)}, ''))`);
  return sql<number>`(${sql.join([sql.lit(ROW_OVERHEAD), ...lengths], sql` + `)})`;
}

/** Refuses a report that is larger than a row of a feed should be. */
export function requireReportSize(row: RowTexts): void {
  const bytes = bytesOf(row) - ROW_OVERHEAD;
  if (bytes <= BODY_LIMITS.reportedRow) return;
  const size = (column: (typeof TEXTS)[number]) => Buffer.byteLength(row[column] ?? '');
  const [largest] = [...TEXTS].sort((a, b) => size(b) - size(a));
  throw tooLarge(largest ?? 'request_body', bytes, BODY_LIMITS.reportedRow);
}

/** Whether the workspace wrote a row into its own feed. */
export function isOwnRow(row: Pick<ActivityRowRecord, 'workspace_id' | 'caller' | 'message_id'>): boolean {
  return row.workspace_id !== null && row.caller === row.workspace_id && row.message_id === null;
}

export interface OwnRowsOptions extends Pick<PlatformContext, 'settings'> {
  readonly workspaces: WorkspaceDirectory;
}

/** Counts what workspaces store by writing to their own feeds: notifications and reports. See docs/contract/limits.md#own-rows. */
export class OwnRows {
  readonly #quota: number;
  readonly #workspaces: WorkspaceDirectory;

  constructor({ settings, workspaces }: OwnRowsOptions) {
    this.#quota = settings.workspaceQuota;
    this.#workspaces = workspaces;
  }

  /** In the transaction of the insert: 429 when the workspace may not store that much. `isDue`: it is counted only. */
  async count({ trx }: UnitOfWork, row: ActivityRowRecord, { isDue = false } = {}): Promise<void> {
    if (row.workspace_id === null) return;
    const limit = isDue ? NO_LIMIT : this.#quota;
    const fits = await this.#workspaces.addOwnBytes(row.workspace_id, bytesOf(row), limit, trx);
    if (!fits) throw quotaExceeded(this.#quota);
  }

  /** In the transaction of a deletion. */
  async release(deleted: ReadonlyMap<string, number>, db: Queryable): Promise<void> {
    // In the order of ids, like every lock of more than one workspace.
    for (const [workspaceId, bytes] of [...deleted].sort()) {
      await this.#workspaces.addOwnBytes(workspaceId, -bytes, NO_LIMIT, db);
    }
  }
}

function quotaExceeded(quota: number): HttpError {
  return new HttpError(429, 'quota_exceeded', 'the workspace has stored as much of its own as it may', {
    extras: {
      hint: `Notifications and reports may have ${quota} bytes together. Write less; rows are deleted when they are older than the retention.`,
    },
  });
}
