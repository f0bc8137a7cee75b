import type { Kysely, Transaction } from 'kysely';
import type { Database } from './schema.ts';

/** One transaction and what is to happen once it is durable. */
export interface UnitOfWork {
  readonly trx: Transaction<Database>;
  /** Runs after the commit, in order; never runs when the transaction fails. Must not throw. */
  afterCommit(task: () => void): void;
  /** Runs when the transaction failed and nothing of it was stored. Must not throw. */
  onRollback(task: () => void): void;
}

/**
 * Runs `work` in one transaction, then its after-commit tasks. Rooms write rows and event rows in it
 * and wake waiters only once the rows are there to be read.
 */
export async function inTransaction<T>(
  db: Kysely<Database>,
  work: (unit: UnitOfWork) => Promise<T>,
): Promise<T> {
  const committed: (() => void)[] = [];
  const rolledBack: (() => void)[] = [];
  let result: T;
  try {
    result = await db.transaction().execute((trx) =>
      work({
        trx,
        afterCommit: (task) => void committed.push(task),
        onRollback: (task) => void rolledBack.push(task),
      }),
    );
  } catch (error) {
    for (const task of rolledBack) task();
    throw error;
  }
  for (const task of committed) task();
  return result;
}
