import type { Kysely, Transaction } from 'kysely';
import { CommitGroups } from './commit-groups.ts';
import type { Database } from './schema.ts';

/** One transaction and what is to happen once it is durable. */
export interface UnitOfWork {
  readonly trx: Transaction<Database>;
  /** Runs after the commit, in order; never runs when the transaction fails. Must not throw. */
  afterCommit(task: () => void): void;
  /** Runs when the transaction failed and nothing of it was stored. Must not throw. */
  onRollback(task: () => void): void;
}

const groupsOf = new WeakMap<Kysely<Database>, CommitGroups>();

/** From now on, units of work on this database that are there at the same time share one commit. */
export function shareCommits(db: Kysely<Database>): void {
  groupsOf.set(db, new CommitGroups(db));
}

/**
 * Runs `work` in one transaction, then its after-commit tasks. Rooms write rows and event rows in it
 * and wake waiters only once the rows are there to be read. Inside, only the database may be awaited.
 */
export async function inTransaction<T>(
  db: Kysely<Database>,
  work: (unit: UnitOfWork) => Promise<T>,
): Promise<T> {
  const committed: (() => void)[] = [];
  const rolledBack: (() => void)[] = [];
  const run = (trx: Transaction<Database>) =>
    work({
      trx,
      afterCommit: (task) => void committed.push(task),
      onRollback: (task) => void rolledBack.push(task),
    });
  let result: T;
  try {
    const groups = groupsOf.get(db);
    result = await (groups === undefined ? db.transaction().execute(run) : groups.execute(run));
  } catch (error) {
    for (const task of rolledBack) task();
    throw error;
  }
  for (const task of committed) task();
  return result;
}
