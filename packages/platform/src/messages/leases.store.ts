import type { Kysely } from 'kysely';
import { prepareQuery } from '../database/prepared-query.ts';
import type { Database, MessageRecord } from '../database/schema.ts';
import { isOpen } from './messages.store.ts';

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
