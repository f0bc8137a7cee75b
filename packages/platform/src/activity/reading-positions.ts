import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type {
  PlatformDatabase,
  PreparedQuery,
  Queryable,
  UnitOfWork,
} from '../database/platform-database.ts';
import type { ActivityRowRecord, WorkspaceRow } from '../database/schema.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { HttpError } from '../http/http-error.ts';
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

type CursorColumns = Pick<ActivityRowRecord, 'direction' | 'seq'> &
  Pick<WorkspaceRow, 'read_seq' | 'visible_seq' | 'acknowledged_at'>;

/** The acknowledged position of a feed. */
interface FeedPosition {
  /** Null when nothing was acknowledged yet, or the row was pruned since. */
  readonly id: string | null;
  readonly seq: number;
}

/** A workspace, and when its last acknowledgement must have been to count as one that acknowledges. */
interface Reader {
  readonly workspaceId: string;
  readonly acknowledgingSince: string;
}

interface ReadingPositionsOptions {
  readonly clock: Clock;
  readonly database: PlatformDatabase;
  readonly workspaces: WorkspaceDirectory;
}

/**
 * How far agents have come in their feeds. Those that never acknowledge have read up to the furthest cursor that they have used: what is stored up
 * to there no longer waits for them. See docs/contract/feed.md#agents-that-never-acknowledge.
 */
export class ReadingPositions {
  readonly #clock: Clock;
  readonly #workspaces: WorkspaceDirectory;
  readonly #listeners: ((workspaceId: string) => void)[] = [];
  readonly #find: PreparedQuery<{ workspaceId: string; id: string }, CursorColumns>;
  readonly #advance: PreparedQuery<Reader & { readonly seq: number }, unknown>;
  readonly #countPending: PreparedQuery<Reader, { count: string | number | bigint }>;
  readonly #correct: PreparedQuery<{ workspaceId: string; now: string }, unknown>;

  constructor({ clock, database, workspaces }: ReadingPositionsOptions) {
    this.#clock = clock;
    this.#workspaces = workspaces;
    this.#countPending = database.prepare((db, { workspaceId, acknowledgingSince }: Reader) =>
      db
        .selectFrom('activity')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('workspace_id', '=', workspaceId)
        // The exact condition of the index `activity_by_delivery`, so that the planner uses it.
        .where(sql<SqlBool>`delivery_state in ('pending', 'leased')`)
        .where('delivery_state', '=', 'pending')
        .where('seq', '>', readWithoutAcknowledging(workspaceId, acknowledgingSince)),
    );
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
    this.#advance = database.prepare(
      (db, { workspaceId, seq, acknowledgingSince }: Reader & { readonly seq: number }) =>
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
    const nowMs = this.#clock.now();
    const now = new Date(nowMs).toISOString();
    const since = new Date(nowMs - ACKNOWLEDGES_WITHIN_MS).toISOString();
    // Written while the clock was wrong: from now on it becomes old like any other.
    if (cursor.acknowledgedAt !== null && cursor.acknowledgedAt > now)
      await this.#correct({ workspaceId, now });
    if (seq <= cursor.readSeq || acknowledges(cursor.acknowledgedAt, since)) return;
    const { numAffectedRows } = await this.#advance({ workspaceId, seq, acknowledgingSince: since });
    if (numAffectedRows !== 1n) return;
    for (const listener of this.#listeners) listener(workspaceId);
  }

  /** Number of messages that wait for their agent, for heartbeats and senders. */
  async countPending(workspaceId: string, db?: Queryable): Promise<number> {
    const since = acknowledgingSince(this.#clock);
    const { rows } = await this.#countPending({ workspaceId, acknowledgingSince: since }, db);
    return Number(rows[0]?.count ?? 0);
  }

  /**
   * Moves the acknowledged position of a workspace forward, never back, and returns the position now; without `upTo`
   * it stays. 404 for a row that its feed does not have or does not show while it is paused, 400 for one that is not
   * inbound.
   */
  async advance(
    { at, now, trx }: UnitOfWork,
    workspace: WorkspaceRow,
    upTo: string | number | undefined,
  ): Promise<FeedPosition> {
    const { id: workspaceId } = workspace;
    const asked = upTo === undefined ? undefined : await this.#findPosition(workspaceId, upTo, trx);
    const change = acknowledgedNow(workspace, at, now);
    const seq = await this.#workspaces.acknowledge(workspaceId, asked?.seq ?? 0, change, trx);
    if (asked?.seq === seq) return asked;
    const last = await this.#readLastUpTo(workspaceId, seq, trx);
    return { id: last?.id ?? null, seq };
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
      const row = await this.#readLastUpTo(workspaceId, named, db);
      if (row !== undefined) return row;
    } else {
      const id = String(upTo).toLowerCase();
      const row = await this.#readPosition(workspaceId, id, db);
      if (row?.isInbound === true) return { id, seq: row.seq };
      if (row !== undefined) throw notInbound();
    }
    throw new HttpError(404, 'activity_not_found', 'activity row not found', { field: 'up_to' });
  }

  /** The position of a row that the agent sees, and whether it is an inbound message. */
  async #readPosition(
    workspaceId: string,
    id: string,
    db: Queryable,
  ): Promise<{ readonly seq: number; readonly isInbound: boolean } | undefined> {
    const row = await db
      .selectFrom('activity')
      .select(['seq', 'direction'])
      .where(({ and }) => and({ id, workspace_id: workspaceId }))
      .where('seq', '<=', visibleUpTo(workspaceId))
      .executeTakeFirst();
    return row === undefined ? undefined : { seq: Number(row.seq), isInbound: row.direction === 'in' };
  }

  /** The last inbound message of the workspace up to `seq` that its agent sees. */
  async #readLastUpTo(
    workspaceId: string,
    seq: number,
    db: Queryable,
  ): Promise<{ id: string; seq: number } | undefined> {
    const row = await db
      .selectFrom('activity')
      .select(['id', 'seq'])
      .where(({ and }) => and({ workspace_id: workspaceId, activity_type: 'a2a_receive', direction: 'in' }))
      .where('seq', '<=', seq)
      .where('seq', '<=', visibleUpTo(workspaceId))
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row === undefined ? undefined : { id: row.id, seq: Number(row.seq) };
  }
}

function notInbound(): HttpError {
  return new HttpError(400, 'invalid_request', 'up_to names a row that is not an inbound message', {
    field: 'up_to',
    hint: 'Acknowledge rows of type=a2a_receive with direction=in.',
  });
}

/** An agent whose last acknowledgement was at this time or later acknowledges what it has finished. */
export function acknowledgingSince(clock: Clock): string {
  return timestamp(clock, -ACKNOWLEDGES_WITHIN_MS);
}

export function acknowledges(acknowledgedAt: string | null, since: string): boolean {
  return acknowledgedAt !== null && acknowledgedAt >= since;
}

/** The column to write when a workspace acknowledges now. */
function acknowledgedNow(
  { acknowledged_at: before }: Pick<WorkspaceRow, 'acknowledged_at'>,
  at: string,
  now: number,
): { readonly acknowledged_at?: string } {
  const recently = new Date(now - WRITTEN_EVERY_MS).toISOString();
  return before !== null && before > recently && before <= at ? {} : { acknowledged_at: at };
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
