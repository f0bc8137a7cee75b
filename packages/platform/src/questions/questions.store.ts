import type { PlatformDatabase, Queryable } from '../database/platform-database.ts';
import type { QuestionRow } from '../database/schema.ts';

/** The columns that an answer sets. */
export type AnswerColumns = Pick<QuestionRow, 'decision' | 'answer' | 'answered_by' | 'answered_at'>;

/** The statements of questions. */
export class QuestionStore {
  readonly #database: PlatformDatabase;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#database = database;
  }

  async insert(rows: readonly QuestionRow[], db: Queryable): Promise<void> {
    await db.insertInto('questions').values(rows).execute();
  }

  /** The questions of a workspace with these ids, in no order. */
  find(workspaceId: string, ids: readonly string[], db: Queryable): Promise<QuestionRow[]> {
    return db
      .selectFrom('questions')
      .selectAll()
      .where('workspace_id', '=', workspaceId)
      .where('id', 'in', ids)
      .execute();
  }

  /** The questions that the handling of a message raised, in the order in which they were asked. */
  listOfMessage(activityId: string, db: Queryable): Promise<QuestionRow[]> {
    return db
      .selectFrom('questions')
      .selectAll()
      .where('activity_id', '=', activityId)
      .orderBy('position')
      .execute();
  }

  /** The newest questions of a workspace, newest first. */
  list(workspaceId: string, state: string | undefined, limit: number): Promise<QuestionRow[]> {
    return this.#database.query
      .selectFrom('questions')
      .selectAll()
      .where('workspace_id', '=', workspaceId)
      .$if(state !== undefined, (select) => select.where('state', '=', state ?? ''))
      .orderBy('created_at', 'desc')
      .orderBy('position', 'desc')
      .limit(limit)
      .execute();
  }

  /** Whether a workspace has at least so many open questions. */
  async hasOpen(workspaceId: string, count: number, db: Queryable): Promise<boolean> {
    const row = await db
      .selectFrom('questions')
      .select('id')
      .where('workspace_id', '=', workspaceId)
      .where('state', '=', 'open')
      .offset(count - 1)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Answers an open question; false when it is not open any more. */
  async answer(
    { workspace_id: workspaceId, id }: QuestionRow,
    change: AnswerColumns,
    db: Queryable,
  ): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('questions')
      .set({ ...change, state: 'answered' })
      .where('workspace_id', '=', workspaceId)
      .where('id', '=', id)
      .where('state', '=', 'open')
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** Closes the open questions of a message. */
  async close(activityId: string, db: Queryable): Promise<void> {
    await db
      .updateTable('questions')
      .set({ state: 'closed' })
      .where('activity_id', '=', activityId)
      .where('state', '=', 'open')
      .execute();
  }
}
