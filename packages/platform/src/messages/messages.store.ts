import {
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type SqlBool,
  sql,
  type Updateable,
} from 'kysely';
import { prepareQuery } from '../database/prepared-query.ts';
import type { Database, MessageRecord, MessagesTable } from '../database/schema.ts';

/** A new row; columns that are left out are null. */
export type NewMessage = Omit<MessageRecord, keyof typeof EMPTY> & Partial<MessageRecord>;

const EMPTY = {
  next_attempt_at: null,
  lease_until: null,
  lease_owner: null,
  answer: null,
  error: null,
  answers_id: null,
  answered_at: null,
} satisfies Partial<MessageRecord>;

const insertRow = prepareQuery((db, row: MessageRecord) => db.insertInto('messages').values(row));

const selectMessage = prepareQuery((db, { queueId }: { queueId: string }) =>
  db.selectFrom('messages').selectAll().where('queue_id', '=', queueId),
);

const selectByCaller = prepareQuery((db, values: { callerKey: string; messageId: string }) =>
  db
    .selectFrom('messages')
    .selectAll()
    .where('caller_key', '=', values.callerKey)
    .where('message_id', '=', values.messageId),
);

const changeMessage = prepareQuery(
  (db, { of, ...change }: Updateable<MessagesTable> & { readonly of: string }) =>
    db.updateTable('messages').set(change).where('queue_id', '=', of),
);

export async function insertMessage(db: Kysely<Database>, row: NewMessage): Promise<MessageRecord> {
  const record: MessageRecord = { ...EMPTY, ...row };
  await insertRow(db, record);
  return record;
}

export async function readMessage(db: Kysely<Database>, queueId: string): Promise<MessageRecord | undefined> {
  const { rows } = await selectMessage(db, { queueId });
  return rows[0];
}

/** Reads a message by what dedupes it: its caller and the caller's message id. */
export async function readByCaller(
  db: Kysely<Database>,
  callerKey: string,
  messageId: string,
): Promise<MessageRecord | undefined> {
  const { rows } = await selectByCaller(db, { callerKey, messageId });
  return rows[0];
}

/** Reads the request of `callerKey` to `targetId` that an answer names by message id or by activity id. */
export async function readQuestion(
  db: Kysely<Database>,
  callerKey: string,
  targetId: string,
  reference: string,
): Promise<MessageRecord | undefined> {
  const byMessageId = await readByCaller(db, callerKey, reference);
  if (byMessageId?.target_id === targetId) return byMessageId;
  return db
    .selectFrom('messages')
    .selectAll()
    .where('target_id', '=', targetId)
    .where('activity_seq', '=', (eb) => eb.selectFrom('activity').select('seq').where('id', '=', reference))
    .where('caller_key', '=', callerKey)
    .where('activity_id', '=', reference)
    .executeTakeFirst();
}

/** Writes some columns. */
export async function updateMessage(
  db: Kysely<Database>,
  queueId: string,
  change: Updateable<MessagesTable>,
): Promise<void> {
  await changeMessage(db, { ...change, of: queueId });
}

/** Notes that the callers of these messages were told their outcome. */
export async function markTold(db: Kysely<Database>, queueIds: readonly string[]): Promise<void> {
  await db.updateTable('messages').set({ answer_told: 1 }).where('queue_id', 'in', queueIds).execute();
}

/** Takes the duty to tell one outcome; undefined when it was told or taken already. */
export async function takeUntold(db: Kysely<Database>, queueId: string): Promise<MessageRecord | undefined> {
  return db
    .updateTable('messages')
    .set({ answer_told: 1 })
    .where('queue_id', '=', queueId)
    .where('answer_told', '=', 0)
    .where('state', 'in', ['answered', 'failed'])
    .returningAll()
    .executeTakeFirst();
}

/** Ids of the messages that ended without their caller being told, as a killed process leaves them. */
export async function listUntold(db: Kysely<Database>): Promise<string[]> {
  const rows = await db
    .selectFrom('messages')
    .select('queue_id')
    .where('answer_told', '=', sql.lit(0))
    .where('state', 'in', ['answered', 'failed'])
    .execute();
  return rows.map((row) => row.queue_id);
}

/** Waits for a push or is being pushed; in the words of the index `messages_open`, so that planners take it. */
export function isOpen(eb: ExpressionBuilder<Database, 'messages'>): Expression<SqlBool> {
  return eb('state', 'in', [sql.lit('queued'), sql.lit('leased')]);
}

/** Marks what waits for the workspace up to a place in its feed as finished by its agent. */
export async function deliverUpTo(
  db: Kysely<Database>,
  targetId: string,
  seq: number,
  updatedAt: string,
): Promise<void> {
  await db
    .updateTable('messages')
    .set({ state: 'delivered', updated_at: updatedAt, lease_until: null, lease_owner: null })
    .where('target_id', '=', targetId)
    .where(isOpen)
    .where('activity_seq', '<=', seq)
    .execute();
}

/** What was sent to these workspaces and is not delivered, or is delivered and still owes its caller an answer. */
export async function listOpen(db: Kysely<Database>, targetIds: readonly string[]): Promise<MessageRecord[]> {
  return db
    .selectFrom('messages')
    .selectAll()
    .where('target_id', 'in', targetIds)
    .where((eb) =>
      eb.or([
        eb('state', 'in', ['queued', 'leased']),
        eb.and([eb('state', '=', 'delivered'), eb('answer_told', '=', 0)]),
      ]),
    )
    .orderBy('activity_seq')
    .execute();
}

/** Deletes old messages that were delivered or whose end was told, at most `limit`; gives how many. */
export async function pruneMessages(db: Kysely<Database>, before: string, limit: number): Promise<number> {
  const old = db
    .selectFrom('messages')
    .select('queue_id')
    .where('created_at', '<', before)
    .where((eb) =>
      eb.or([
        eb('state', '=', 'delivered'),
        eb.and([eb('state', 'in', ['answered', 'failed']), eb('answer_told', '=', 1)]),
      ]),
    )
    .limit(limit);
  const { numDeletedRows } = await db.deleteFrom('messages').where('queue_id', 'in', old).executeTakeFirst();
  return Number(numDeletedRows);
}
