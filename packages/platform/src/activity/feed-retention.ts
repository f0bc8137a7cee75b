import type { PlatformContext } from '../context.ts';
import { timestamp } from '../time/clock.ts';
import { RepeatedTasks } from '../time/repeated-tasks.ts';
import type { ActivityStore } from './activity.store.ts';
import type { OwnRows } from './own-rows.ts';

const BY_AGE_EVERY_MS = 3_600_000;
const BY_SIZE_EVERY_MS = 60_000;
const DAY_MS = 24 * 3_600_000;
const AGE_BATCH = 1_000;
/** Rows that are measured, and deleted, in one step; one may have ten megabytes. */
const SIZE_BATCH = 200;
const DELETE_BATCH = 50;
/** A feed is measured again when it has grown by this part of its limit. */
const GROWTH_PART = 16;

interface FeedRetentionOptions extends Pick<PlatformContext, 'clock' | 'database' | 'logger' | 'settings'> {
  readonly store: ActivityStore;
  readonly ownRows: OwnRows;
}

/** Deletes rows of feeds when they are too old, and the oldest finished ones when those of a workspace are too large. */
export class FeedRetention {
  readonly #options: FeedRetentionOptions;
  readonly #tasks: RepeatedTasks;
  /** Bytes that were added to feeds since these were measured. */
  readonly #growth = new Map<string, number>();

  constructor(options: FeedRetentionOptions) {
    this.#options = options;
    this.#tasks = new RepeatedTasks(options.clock, options.logger);
  }

  start(): void {
    this.#tasks.every('prune the feed', BY_AGE_EVERY_MS, () => this.#pruneByAge());
    this.#tasks.once('measure all feeds', () => this.#measureAll());
    this.#tasks.every('prune large feeds', BY_SIZE_EVERY_MS, () => this.#pruneGrown());
  }

  stop(): Promise<void> {
    return this.#tasks.stop();
  }

  /** Counts what was written into a feed. */
  grew(workspaceId: string, bytes: number): void {
    this.#growth.set(workspaceId, (this.#growth.get(workspaceId) ?? 0) + bytes);
  }

  async #pruneByAge(): Promise<void> {
    const { clock, database, ownRows, settings, store } = this.#options;
    const before = timestamp(clock, -settings.activityRetentionDays * DAY_MS);
    let pruned = AGE_BATCH;
    while (pruned === AGE_BATCH && !this.#tasks.stopped) {
      pruned = await database.transaction(async ({ trx }) => {
        const { count, ownBytes } = await store.prune(before, AGE_BATCH, trx);
        await ownRows.release(ownBytes, trx);
        return count;
      });
    }
  }

  /** What was written before this process started is not in its counts. */
  async #measureAll(): Promise<void> {
    for (const workspaceId of await this.#options.store.listFeeds()) await this.#pruneBySize(workspaceId);
  }

  async #pruneGrown(): Promise<void> {
    const enough = this.#options.settings.finishedBytes / GROWTH_PART;
    for (const [workspaceId, bytes] of this.#growth) {
      if (bytes < enough) continue;
      this.#growth.delete(workspaceId);
      await this.#pruneBySize(workspaceId);
    }
  }

  /** Measures finished rows from the newest on, and deletes those that are older than the first one that does not fit. */
  async #pruneBySize(workspaceId: string): Promise<void> {
    const { settings, store } = this.#options;
    let left = settings.finishedBytes;
    let below = Number.MAX_SAFE_INTEGER;
    while (!this.#tasks.stopped) {
      const rows = await store.measureFinished(workspaceId, below, SIZE_BATCH);
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
    while (deleted === DELETE_BATCH && !this.#tasks.stopped) {
      deleted = await this.#options.store.deleteFinished(workspaceId, seq, DELETE_BATCH);
    }
  }
}
