import { type RawBuilder, sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import type { PreparedQuery, Queryable } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import { type Clock, timestamp } from '../time/clock.ts';

/** An agent that has not acknowledged for so long counts as one that never does, in milliseconds. */
const ACKNOWLEDGES_WITHIN_MS = 24 * 3_600_000;
/** The time of the last acknowledgement is written when it is older than this, in milliseconds. */
const WRITTEN_EVERY_MS = 3_600_000;
const LAST_SEQ = Number.MAX_SAFE_INTEGER;

/** A cursor of a feed: the place of its row, and what the workspace has read and sees. */
export interface Cursor {
  readonly seq: number;
  readonly readSeq: number;
  readonly visibleSeq: number | null;
  readonly acknowledgedAt: string | null;
  readonly isInbound: boolean;
}

interface CursorRow {
  readonly direction: string;
  readonly seq: number | bigint;
  readonly read_seq: number | bigint;
  readonly visible_seq: number | bigint | null;
  readonly acknowledged_at: string | null;
}

interface Advance {
  readonly workspaceId: string;
  readonly seq: number;
  readonly acknowledgingSince: string;
}

/**
 * How far the agents that never acknowledge have read: up to the furthest cursor that they have used. What is stored up
 * to there no longer waits for them. See docs/contract/feed.md#agents-that-never-acknowledge.
 */
export class ReadingPositions {
  readonly #clock: Clock;
  readonly #listeners: ((workspaceId: string) => void)[] = [];
  readonly #find: PreparedQuery<{ workspaceId: string; id: string }, CursorRow>;
  readonly #advance: PreparedQuery<Advance, unknown>;
  readonly #correct: PreparedQuery<{ workspaceId: string; now: string }, unknown>;

  constructor({ clock, database }: Pick<PlatformContext, 'clock' | 'database'>) {
    this.#clock = clock;
    this.#find = database.prepare((db, values: { workspaceId: string; id: string }) =>
      db
        .selectFrom('activity')
        .innerJoin('workspaces', 'workspaces.id', 'activity.workspace_id')
        .select(['seq', 'direction', 'read_seq', 'visible_seq', 'acknowledged_at'])
        .where('activity.id', '=', values.id)
        .where('activity.workspace_id', '=', values.workspaceId),
    );
    this.#correct = database.prepare((db, { workspaceId, now }: { workspaceId: string; now: string }) =>
      db
        .updateTable('workspaces')
        .set({ acknowledged_at: now })
        .where('id', '=', workspaceId)
        .where('acknowledged_at', '>', now),
    );
    this.#advance = database.prepare((db, { workspaceId, seq, acknowledgingSince }: Advance) =>
      db
        .updateTable('workspaces')
        .set({ read_seq: seq })
        .where('id', '=', workspaceId)
        .where('read_seq', '<', seq)
        .where((eb) =>
          eb.or([eb('acknowledged_at', 'is', null), eb('acknowledged_at', '<', acknowledgingSince)]),
        ),
    );
  }

  /** Registers who is called when fewer rows wait for a workspace, because it has read on. */
  onAdvance(listener: (workspaceId: string) => void): void {
    this.#listeners.push(listener);
  }

  /** The cursor with this id; undefined when the feed does not have it. */
  async find(workspaceId: string, id: string): Promise<Cursor | undefined> {
    const { rows } = await this.#find({ workspaceId, id });
    const [row] = rows;
    if (row === undefined) return undefined;
    return {
      seq: Number(row.seq),
      readSeq: Number(row.read_seq),
      visibleSeq: row.visible_seq === null ? null : Number(row.visible_seq),
      acknowledgedAt: row.acknowledged_at,
      isInbound: row.direction === 'in',
    };
  }

  /** The agent of the workspace has read its messages up to a cursor; writes nothing for one that acknowledges. */
  async read(workspaceId: string, cursor: Cursor): Promise<void> {
    if (!cursor.isInbound) return;
    const seq = Math.min(cursor.seq, cursor.visibleSeq ?? LAST_SEQ);
    const since = acknowledgingSince(this.#clock);
    const now = timestamp(this.#clock);
    // Written while the clock was wrong: from now on it becomes old like any other.
    if (cursor.acknowledgedAt !== null && cursor.acknowledgedAt > now)
      await this.#correct({ workspaceId, now });
    if (seq <= cursor.readSeq || acknowledges(cursor.acknowledgedAt, since)) return;
    const { numAffectedRows } = await this.#advance({ workspaceId, seq, acknowledgingSince: since });
    if (numAffectedRows !== 1n) return;
    for (const listener of this.#listeners) listener(workspaceId);
  }
}

/** An agent whose last acknowledgement was at this time or later acknowledges what it has finished. */
export function acknowledgingSince(clock: Clock): string {
  return timestamp(clock, -ACKNOWLEDGES_WITHIN_MS);
}

export function acknowledges(acknowledgedAt: string | null, since: string): boolean {
  return acknowledgedAt !== null && acknowledgedAt >= since;
}

/** The column to write when a workspace acknowledges now. */
export function acknowledgedNow(
  { acknowledged_at: before }: Pick<WorkspaceRow, 'acknowledged_at'>,
  clock: Clock,
): { readonly acknowledged_at?: string } {
  const now = timestamp(clock);
  const isRecent = before !== null && before > timestamp(clock, -WRITTEN_EVERY_MS) && before <= now;
  return isRecent ? {} : { acknowledged_at: now };
}

/** In SQL: rows up to here do not wait for the workspace, because its agent has read them and never acknowledges. */
export function readWithoutAcknowledging(workspaceId: string, since: string): RawBuilder<number> {
  return sql<number>`(select case when acknowledged_at >= ${since} then 0 else read_seq end from workspaces where id = ${workspaceId})`;
}

/** In SQL: the agent of the workspace sees the rows up to here. */
export function visibleUpTo(workspaceId: string): RawBuilder<number> {
  return sql<number>`coalesce((select visible_seq from workspaces where id = ${workspaceId}), ${sql.lit(LAST_SEQ)})`;
}

/** In a transaction that has locked the workspace: the last row of its feed, so that all that are stored after the commit come later. */
export async function lastRowOf(workspaceId: string, db: Queryable): Promise<number> {
  const row = await db
    .selectFrom('activity')
    .select('seq')
    .where('workspace_id', '=', workspaceId)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return Number(row?.seq ?? 0);
}
