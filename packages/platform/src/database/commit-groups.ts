import type { Transaction } from 'kysely';
import type { OneConnection } from './one-connection.ts';
import type { Database } from './schema.ts';

/** Maximum number of units that share one commit, which bounds the wait of the first one. */
const GROUP_SIZE = 64;

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
  readonly #connection: OneConnection;
  readonly #trx: Transaction<Database>;
  readonly #waiting: Entry[] = [];
  #isBusy = false;

  constructor(connection: OneConnection) {
    this.#connection = connection;
    this.#trx = connection.newTransaction();
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
      await this.#connection.inTransaction(() => this.#runUnits(group));
    } catch (error) {
      commitError = error;
    }
    for (const entry of group) entry.complete(commitError);
    if (this.#waiting.length > 0) this.#schedule();
    else this.#isBusy = false;
  }

  /** Runs each unit in a savepoint; a unit that is alone needs none, because the transaction is its own. */
  async #runUnits(group: readonly Entry[]): Promise<void> {
    const [only] = group;
    if (only !== undefined && group.length === 1) {
      if ((await only.run(this.#trx)) === 'failed')
        throw new Error('The only unit of the transaction failed.');
      return;
    }
    for (const entry of group) {
      this.#connection.runNow('savepoint unit', []);
      if ((await entry.run(this.#trx)) === 'failed') this.#connection.runNow('rollback to unit', []);
      this.#connection.runNow('release unit', []);
    }
  }
}
