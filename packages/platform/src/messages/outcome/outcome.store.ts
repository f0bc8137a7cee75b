import { sql } from 'kysely';
import type { PlatformDatabase, PreparedQuery, Queryable } from '../../database/platform-database.ts';
import type { MessageRow } from '../message.store.ts';

/** A message with the time of the outcome that its caller was sent. */
export type SentOutcomeRow = Pick<MessageRow, 'id' | 'changed_at'>;

/** The statements of receipts and of expiry. */
export class OutcomeStore {
  readonly #database: PlatformDatabase;
  readonly #selectExpired: PreparedQuery<{ now: string; limit: number }, { id: string }>;
  readonly #selectNextExpiry: PreparedQuery<Record<string, never>, { expires_at: string | null }>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#database = database;
    this.#selectExpired = database.prepare((db, { now, limit }: { now: string; limit: number }) =>
      db
        .selectFrom('activity')
        .select('id')
        .where('expires_at', '<=', now)
        .orderBy('expires_at')
        .limit(limit),
    );
    this.#selectNextExpiry = database.prepare((db) =>
      db
        .selectFrom('activity')
        .select('expires_at')
        .where('expires_at', 'is not', null)
        .orderBy('expires_at')
        .limit(1),
    );
  }

  /** Finds the latest message of `caller` to `targetId` that its agent answered with this task. */
  async findByAgentTask(
    caller: string,
    targetId: string,
    taskId: string,
    db: Queryable = this.#database.query,
  ): Promise<MessageRow | undefined> {
    const row = await db
      .selectFrom('activity')
      .selectAll()
      .where('agent_task_id', '=', taskId)
      .where('caller', '=', caller)
      .where('workspace_id', '=', targetId)
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row as MessageRow | undefined;
  }

  /** Lists messages that have not ended and should have by now, the longest overdue first. */
  async listExpired(now: string, limit: number): Promise<string[]> {
    const { rows } = await this.#selectExpired({ now, limit });
    return rows.map((row) => row.id);
  }

  /** Finds when the next message expires. */
  async findNextExpiry(): Promise<string | null> {
    const { rows } = await this.#selectNextExpiry({});
    return rows[0]?.expires_at ?? null;
  }

  /** Records that the callers of these messages have received the outcomes that they had then. */
  async markReceived(messages: readonly SentOutcomeRow[]): Promise<void> {
    const ids = messages.map(({ id }) => id);
    const outcomes = messages.map(({ id, changed_at: at }) => id + at);
    await this.#database.query
      .updateTable('activity')
      .set({ caller_receipt: 'received' })
      .where('id', 'in', ids)
      .where(sql<string>`${sql.ref('id')} || ${sql.ref('changed_at')}`, 'in', outcomes)
      .where('caller_receipt', '=', 'sent')
      .execute();
  }

  /** Claims the delivery of an outcome that its caller has not confirmed; false when there is another one by now. */
  async claimUnreceived({ id, changed_at: changedAt }: SentOutcomeRow, db: Queryable): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('activity')
      .set({ caller_receipt: 'received' })
      .where('id', '=', id)
      .where('changed_at', '=', changedAt)
      .where('caller_receipt', '=', 'sent')
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** Lists the messages whose outcome was sent to a held call and never confirmed, because the process was killed. */
  listUnreceived(): Promise<SentOutcomeRow[]> {
    return this.#database.query
      .selectFrom('activity')
      .select(['id', 'changed_at'])
      .where('caller_receipt', '=', sql.lit('sent'))
      .execute();
  }
}
