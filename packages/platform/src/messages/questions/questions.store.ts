import type { PlatformDatabase, Queryable } from '../../database/platform-database.ts';
import type { QuestionRow } from '../../database/schema.ts';

/** The columns that an answer sets. */
type AnswerColumns = Pick<QuestionRow, 'decision' | 'answer' | 'answered_by' | 'answered_at'>;

/** The statements of questions. Their texts are stored as JSON, which keeps every character. */
export class QuestionStore {
  readonly #database: PlatformDatabase;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#database = database;
  }

  async insert(rows: readonly QuestionRow[], db: Queryable): Promise<void> {
    await db.insertInto('questions').values(rows.map(toStored)).execute();
  }

  /** The questions of a workspace with these ids, in no order. */
  async find(workspaceId: string, ids: readonly string[], db: Queryable): Promise<QuestionRow[]> {
    const rows = await db
      .selectFrom('questions')
      .selectAll()
      .where('workspace_id', '=', workspaceId)
      .where('id', 'in', ids)
      .execute();
    return rows.map(fromStored);
  }

  /** The questions that the handling of a message raised, in the order in which they were asked. */
  async listOfMessage(activityId: string, db: Queryable): Promise<QuestionRow[]> {
    const rows = await db
      .selectFrom('questions')
      .selectAll()
      .where('activity_id', '=', activityId)
      .orderBy('position')
      .execute();
    return rows.map(fromStored);
  }

  /** Questions of a workspace, newest first. */
  async list(
    workspaceId: string,
    state: string | undefined,
    { limit, offset }: { readonly limit: number; readonly offset: number },
  ): Promise<QuestionRow[]> {
    const rows = await this.#database.query
      .selectFrom('questions')
      .selectAll()
      .where('workspace_id', '=', workspaceId)
      .$if(state !== undefined, (select) => select.where('state', '=', state ?? ''))
      .orderBy('created_at', 'desc')
      .orderBy('position', 'desc')
      .limit(limit)
      .offset(offset)
      .execute();
    return rows.map(fromStored);
  }

  /** Whether a workspace has at least so many open questions; with `sourceId` about the messages of one sender. */
  async hasOpen(
    { workspaceId, sourceId }: { readonly workspaceId: string; readonly sourceId?: string },
    count: number,
    db: Queryable,
  ): Promise<boolean> {
    const row = await db
      .selectFrom('questions')
      .select('id')
      .where(({ and }) => and({ workspace_id: workspaceId, state: 'open' }))
      .$if(sourceId !== undefined, (select) => select.where('source_id', '=', sourceId ?? ''))
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
      .set({ ...change, answer: toJson(change.answer), state: 'answered' })
      .where(({ and }) => and({ workspace_id: workspaceId, id, state: 'open' }))
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** Closes the open questions of a message. */
  async close(activityId: string, db: Queryable): Promise<void> {
    await db
      .updateTable('questions')
      .set({ state: 'closed' })
      .where(({ and }) => and({ activity_id: activityId, state: 'open' }))
      .execute();
  }
}

function toStored(row: QuestionRow): QuestionRow {
  return { ...row, text: JSON.stringify(row.text), answer: toJson(row.answer) };
}

function fromStored(row: QuestionRow): QuestionRow {
  return { ...row, text: JSON.parse(row.text), answer: row.answer === null ? null : JSON.parse(row.answer) };
}

function toJson(text: string | null): string | null {
  return text === null ? null : JSON.stringify(text);
}
