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

const selectOldestQueued = prepareQuery((db, { targetId }: { targetId: string }) =>
  db
    .selectFrom('messages')
    .selectAll()
    .where('target_id', '=', targetId)
    .where(isOpen)
    .where('state', '=', 'queued')
    .orderBy('activity_seq')
    .limit(1),
);

const lease = prepareQuery((db, values: { queueId: string; owner: string; until: string }) =>
  db
    .updateTable('messages')
    .set((eb) => ({
      state: 'leased',
      lease_owner: values.owner,
      lease_until: values.until,
      attempts: eb('attempts', '+', 1),
      next_attempt_at: null,
    }))
    .where('queue_id', '=', values.queueId)
    .where('state', '=', 'queued')
    .returningAll(),
);

/** Whether something waits for a push to this workspace. */
export async function hasQueued(db: Kysely<Database>, targetId: string): Promise<boolean> {
  return (await readOldestQueued(db, targetId)) !== undefined;
}

/** Reads the message that is next in the order of the target. */
export async function readOldestQueued(
  db: Kysely<Database>,
  targetId: string,
): Promise<MessageRecord | undefined> {
  const { rows } = await selectOldestQueued(db, { targetId });
  return rows[0];
}

/** Takes a queued message for one push attempt; undefined when somebody else has it. */
export async function takeLease(
  db: Kysely<Database>,
  queueId: string,
  { owner, until }: { readonly owner: string; readonly until: string },
): Promise<MessageRecord | undefined> {
  const { rows } = await lease(db, { queueId, owner, until });
  return rows[0];
}

const selectHolder = prepareQuery((db, { queueId }: { queueId: string }) =>
  db.selectFrom('messages').select(['state', 'lease_owner']).where('queue_id', '=', queueId),
);

/** Whether a message is leased by this owner. */
export async function isLeasedBy(db: Kysely<Database>, queueId: string, owner: string): Promise<boolean> {
  const { rows } = await selectHolder(db, { queueId });
  return rows[0]?.state === 'leased' && rows[0].lease_owner === owner;
}

/** Keeps a lease while its push is under way. */
export async function renewLease(
  db: Kysely<Database>,
  queueId: string,
  owner: string,
  until: string,
): Promise<void> {
  await db
    .updateTable('messages')
    .set({ lease_until: until })
    .where('queue_id', '=', queueId)
    .where('lease_owner', '=', owner)
    .where('state', '=', 'leased')
    .execute();
}

/** Puts a message of ours back into the queue; undefined when the lease is no longer ours. */
export async function returnLease(
  db: Kysely<Database>,
  queueId: string,
  owner: string,
  change: { readonly attempts: number; readonly nextAttemptAt: string | null; readonly updatedAt: string },
): Promise<MessageRecord | undefined> {
  return db
    .updateTable('messages')
    .set({
      state: 'queued',
      lease_owner: null,
      lease_until: null,
      attempts: change.attempts,
      next_attempt_at: change.nextAttemptAt,
      updated_at: change.updatedAt,
    })
    .where('queue_id', '=', queueId)
    .where('lease_owner', '=', owner)
    .where('state', '=', 'leased')
    .returningAll()
    .executeTakeFirst();
}

/** Reads what is leased, in any process. */
export async function listLeases(db: Kysely<Database>): Promise<MessageRecord[]> {
  return db.selectFrom('messages').selectAll().where(isOpen).where('state', '=', 'leased').execute();
}

/** Ids of the workspaces with something queued, due or not: a lane knows best when its turn is. */
export async function listQueuedTargets(db: Kysely<Database>): Promise<string[]> {
  const rows = await db
    .selectFrom('messages')
    .select('target_id')
    .distinct()
    .where(isOpen)
    .where('state', '=', 'queued')
    .execute();
  return rows.map((row) => row.target_id);
}
