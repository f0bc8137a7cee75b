import { sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import type { Queryable } from '../database/platform-database.ts';
import { timestamp } from '../time/clock.ts';
import { bytesInSql, type FeedWriter, isOwnRow, NO_QUOTA } from './feed-writer.ts';

const BY_AGE_EVERY_MS = 3_600_000;
const BY_SIZE_EVERY_MS = 60_000;
const DAY_MS = 24 * 3_600_000;
const AGE_BATCH = 1_000;
/** Rows that are measured, and deleted, in one step; one may have ten megabytes. */
const SIZE_BATCH = 200;
const DELETE_BATCH = 50;
/** A feed is measured again when it has grown by this part of its limit. */
const GROWTH_PART = 16;

interface FeedRetentionOptions
  extends Pick<PlatformContext, 'clock' | 'database' | 'settings' | 'tasks' | 'workspaces'> {
  readonly feed: Pick<FeedWriter, 'growth'>;
}

/** Deletes rows of feeds when they are too old, and the oldest finished ones when those of a workspace are too large. */
export class FeedRetention {
  readonly #options: FeedRetentionOptions;

  constructor(options: FeedRetentionOptions) {
    this.#options = options;
    const { tasks } = options;
    tasks.every('prune the feed', BY_AGE_EVERY_MS, () => this.#pruneByAge());
    tasks.atStart('measure all feeds', () => this.#measureAll());
    tasks.every('prune large feeds', BY_SIZE_EVERY_MS, () => this.#pruneGrown());
  }

  async #pruneByAge(): Promise<void> {
    const { clock, database, settings } = this.#options;
    const before = timestamp(clock, -settings.data.activityRetentionDays * DAY_MS);
    let pruned = AGE_BATCH;
    while (pruned === AGE_BATCH && !this.#options.tasks.stopped) {
      pruned = await database.transaction(({ trx }) => this.#deleteBefore(before, trx));
    }
  }

  /** What was written before this process started is not in its counts. */
  async #measureAll(): Promise<void> {
    const feeds = await this.#options.database.query.selectFrom('workspaces').select('id').execute();
    for (const { id } of feeds) await this.#pruneBySize(id);
  }

  async #pruneGrown(): Promise<void> {
    const { feed, settings } = this.#options;
    const enough = settings.data.finishedBytes / GROWTH_PART;
    for (const [workspaceId, bytes] of feed.growth) {
      if (bytes < enough) continue;
      feed.growth.delete(workspaceId);
      await this.#pruneBySize(workspaceId);
    }
  }

  /** Measures finished rows from the newest on, and deletes those that are older than the first one that does not fit. */
  async #pruneBySize(workspaceId: string): Promise<void> {
    const { settings } = this.#options;
    let left = settings.data.finishedBytes;
    let below = Number.MAX_SAFE_INTEGER;
    while (!this.#options.tasks.stopped) {
      const rows = await this.#measure(workspaceId, below);
      for (const row of rows) {
        left -= Number(row.bytes);
        if (left < 0) return this.#deleteUpTo(workspaceId, Number(row.seq));
        below = Number(row.seq);
      }
      if (rows.length < SIZE_BATCH) return;
    }
  }

  async #deleteUpTo(workspaceId: string, seq: number): Promise<void> {
    let deleted = DELETE_BATCH;
    while (deleted === DELETE_BATCH && !this.#options.tasks.stopped) {
      deleted = await this.#deleteFinished(workspaceId, seq);
    }
  }

  /**
   * Deletes a batch of old rows except open messages and outcomes that a caller still has to get; returns how many. What a workspace had
   * written itself no longer counts.
   */
  async #deleteBefore(before: string, db: Queryable): Promise<number> {
    const old = db
      .selectFrom('activity')
      .select('seq')
      .where('created_at', '<', before)
      // A message is kept from its end on, so that its sender can still learn of it.
      .where('changed_at', '<', before)
      .where('expires_at', 'is', null)
      .where('caller_receipt', '!=', 'sent')
      .orderBy('seq')
      .limit(AGE_BATCH);
    const rows = await db
      .deleteFrom('activity')
      .where('seq', 'in', old)
      .returning(['workspace_id', 'caller', 'message_id', bytesInSql().as('bytes')])
      .execute();
    const ownBytes = new Map<string, number>();
    for (const row of rows) {
      if (row.workspace_id === null || !isOwnRow(row)) continue;
      ownBytes.set(row.workspace_id, (ownBytes.get(row.workspace_id) ?? 0) + Number(row.bytes));
    }
    // In the order of ids, like every lock of more than one workspace.
    for (const [workspaceId, bytes] of [...ownBytes].sort()) {
      await this.#options.workspaces.addOwnBytes(workspaceId, -bytes, NO_QUOTA, db);
    }
    return rows.length;
  }

  /** The size of the newest finished rows of a feed below `seq`, without reading their texts. */
  #measure(workspaceId: string, seq: number): Promise<{ seq: number; bytes: number }[]> {
    return this.#finished(workspaceId)
      .select(['seq', sql<number>`${bytesInSql()} + ${questionBytes()}`.as('bytes')])
      .where('seq', '<', seq)
      .orderBy('seq', 'desc')
      .limit(SIZE_BATCH)
      .execute();
  }

  /** Deletes a batch of the oldest finished rows of a feed up to `seq`; returns how many. */
  async #deleteFinished(workspaceId: string, seq: number): Promise<number> {
    const oldest = this.#finished(workspaceId)
      .select('seq')
      .where('seq', '<=', seq)
      .where('caller_receipt', '!=', 'sent')
      .orderBy('seq')
      .limit(DELETE_BATCH);
    const { numDeletedRows } = await this.#options.database.query
      .deleteFrom('activity')
      .where('seq', 'in', oldest)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  /** Messages that have ended; own rows have a limit of their own. */
  #finished(workspaceId: string) {
    return this.#options.database.query
      .selectFrom('activity')
      .where('workspace_id', '=', workspaceId)
      .where('message_id', 'is not', null)
      .where('expires_at', 'is', null);
  }
}

/** In SQL: the bytes of the questions that were asked about a message, which are deleted with it. */
function questionBytes() {
  const bytes = (column: string) => sql`octet_length(coalesce(${sql.ref(column)}, ''))`;
  return sql<number>`coalesce((select sum(${bytes('questions.text')} + ${bytes('questions.data')} + ${bytes('questions.answer')}) from questions where questions.activity_id = activity.id), 0)`;
}
