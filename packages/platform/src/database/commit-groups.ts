import { CompiledQuery, type Kysely, type Transaction } from 'kysely';
import type { Database } from './schema.ts';

/** Maximum number of units that share one commit, which bounds the wait of the first one. */
const GROUP_SIZE = 64;

const BEGIN_UNIT = CompiledQuery.raw('savepoint unit');
const UNDO_UNIT = CompiledQuery.raw('rollback to unit');
const END_UNIT = CompiledQuery.raw('release unit');

interface Entry {
  /** Runs the unit and keeps its result for `complete`. Never rejects. */
  run(trx: Transaction<Database>): Promise<'done' | 'failed'>;
  /** Resolves or rejects the caller's promise. */
  complete(commitError: unknown): void;
}

const COMMITTED = Symbol('committed');

/**
 * Units of work that arrive in one turn of the event loop share one commit, and therefore one wait for the disk.
 * Each unit runs in a savepoint: one that fails is undone alone. A unit's promise resolves only after the commit
 * that contains its rows. For a database with one writer, such as SQLite.
 */
export class CommitGroups {
  readonly #db: Kysely<Database>;
  readonly #waiting: Entry[] = [];
  #isBusy = false;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  execute<T>(work: (trx: Transaction<Database>) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
      this.#waiting.push({
        run: async (trx) => {
          try {
            outcome = { value: await work(trx) };
            return 'done';
          } catch (error) {
            outcome = { error };
            return 'failed';
          }
        },
        complete: (commitError) => {
          if (outcome !== undefined && 'error' in outcome) reject(outcome.error);
          else if (commitError !== COMMITTED) reject(commitError);
          else if (outcome !== undefined) resolve(outcome.value);
          else reject(new Error('The unit of work did not run.'));
        },
      });
      if (!this.#isBusy) this.#schedule();
    });
  }

  #schedule(): void {
    this.#isBusy = true;
    // Requests on sockets that are readable in the same turn add their units first.
    setImmediate(() => void this.#commitGroup());
  }

  async #commitGroup(): Promise<void> {
    const group = this.#waiting.splice(0, GROUP_SIZE);
    let commitError: unknown = COMMITTED;
    try {
      await this.#db.transaction().execute((trx) => runUnits(group, trx));
    } catch (error) {
      commitError = error;
    }
    for (const entry of group) entry.complete(commitError);
    if (this.#waiting.length > 0) this.#schedule();
    else this.#isBusy = false;
  }
}

/** Runs each unit in a savepoint; a unit that is alone needs none, because the transaction is its own. */
async function runUnits(group: readonly Entry[], trx: Transaction<Database>): Promise<void> {
  const [only] = group;
  if (only !== undefined && group.length === 1) {
    if ((await only.run(trx)) === 'failed') throw new Error('The only unit of the transaction failed.');
    return;
  }
  for (const entry of group) {
    await trx.executeQuery(BEGIN_UNIT);
    if ((await entry.run(trx)) === 'failed') await trx.executeQuery(UNDO_UNIT);
    await trx.executeQuery(END_UNIT);
  }
}
