import type { Logger } from '../logging/logger.ts';
import type { CursorRecord } from './cursor-store.ts';
import type { DeadLetterRecord } from './dead-letter-store.ts';
import type { InboundStores } from './inbound-stores.ts';
import type { JournalEntry } from './message-journal.ts';

const MAX_OWED = 1_000;

/** What an {@link InboundStorage} needs. */
export interface InboundStorageOptions {
  readonly stores: InboundStores;
  readonly logger: Logger;
  /** The stores stopped working; told once until they work again. */
  readonly onTrouble: (error: unknown) => void;
  readonly onHealed: () => void;
}

/**
 * The stores, made safe: nothing here rejects. What cannot be written is kept in memory, and the agent goes on
 * with the platform's own acknowledged position as its only durable one.
 */
export class InboundStorage {
  readonly #options: InboundStorageOptions;
  readonly #troubled = new Set<StoreName>();
  readonly #unsaved = new Map<string, JournalEntry>();
  readonly #unsavedLetters = new Set<DeadLetterRecord>();
  /** Entries of messages whose finish is not on disk: they go when it is. */
  readonly #removals = new Set<string>();
  readonly #turns = new Map<string, Promise<void>>();
  #writing: Promise<boolean> = Promise.resolve(true);
  #queued: Promise<boolean> | undefined;
  #isClosed = false;

  constructor(options: InboundStorageOptions) {
    this.#options = options;
  }

  /** The record of an earlier run; `undefined` when there is none or it is unreadable, which is told. */
  async loadCursor(): Promise<CursorRecord | undefined> {
    try {
      return await this.#options.stores.cursor.load();
    } catch (error) {
      this.#options.logger.warn(
        { error },
        'The stored position cannot be read: starting from what the platform has not seen acknowledged.',
      );
      return undefined;
    }
  }

  /**
   * Writes what `snapshot` gives when the write begins; calls that come while one is under way share the next.
   * Resolves with whether it is on disk.
   */
  saveCursor(snapshot: () => CursorRecord): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (this.#queued !== undefined) return this.#queued;
    const write = this.#writing.then(async () => {
      this.#queued = undefined;
      const isSaved = await this.#try('cursor', () => this.#options.stores.cursor.save(snapshot()));
      if (isSaved) await this.#catchUp();
      return isSaved;
    });
    this.#queued = write;
    this.#writing = write;
    return write;
  }

  /** The position is written no more: from now on it may be another process's. */
  close(): void {
    this.#isClosed = true;
  }

  async loadEntry(activityId: string): Promise<JournalEntry | undefined> {
    const unsaved = this.#unsaved.get(activityId);
    if (unsaved !== undefined) return unsaved;
    try {
      return await this.#options.stores.journal.load(activityId);
    } catch (error) {
      this.#options.logger.warn(
        { error, activityId },
        'A journal entry is unreadable: the message is handled anew.',
      );
      return undefined;
    }
  }

  async saveEntry(activityId: string, entry: JournalEntry): Promise<void> {
    this.#unsaved.set(activityId, entry);
    await this.#writeEntry(activityId, entry);
  }

  /** Deletes what is known about a finished message, once it `isFinishOnDisk`: before, a crash would bring it back. */
  async removeEntry(activityId: string, isFinishOnDisk: boolean): Promise<void> {
    this.#unsaved.delete(activityId);
    if (!isFinishOnDisk) {
      keep(this.#removals, activityId);
      return;
    }
    await this.#inTurn(activityId, async () => {
      try {
        await this.#options.stores.journal.remove(activityId);
      } catch (error) {
        const text = 'The journal entry of a finished message is left behind.';
        this.#options.logger.warn({ error, activityId }, text);
      }
    });
  }

  async addDeadLetter(record: DeadLetterRecord): Promise<void> {
    keep(this.#unsavedLetters, record);
    await this.#writeLetter(record);
  }

  /** The folder can be written: what could not be written before is. */
  async #catchUp(): Promise<void> {
    for (const id of [...this.#removals]) {
      this.#removals.delete(id);
      await this.removeEntry(id, true);
    }
    if (this.#troubled.has('journal')) {
      for (const [id, entry] of [...this.#unsaved]) await this.#writeEntry(id, entry);
      if (this.#unsaved.size === 0) this.#heal('journal');
    }
    if (this.#troubled.has('dead letters')) {
      for (const record of [...this.#unsavedLetters]) await this.#writeLetter(record);
    }
  }

  #writeEntry(activityId: string, entry: JournalEntry): Promise<void> {
    return this.#inTurn(activityId, async () => {
      // A newer one may have come meanwhile, or the message is finished.
      const isWanted = (): boolean => this.#unsaved.get(activityId) === entry;
      if (!isWanted()) return;
      const isSaved = await this.#try('journal', () => this.#options.stores.journal.save(activityId, entry));
      if (isSaved && isWanted()) this.#unsaved.delete(activityId);
    });
  }

  #writeLetter(record: DeadLetterRecord): Promise<void> {
    return this.#inTurn('dead letters', async () => {
      if (!this.#unsavedLetters.has(record)) return;
      const isSaved = await this.#try('dead letters', () => this.#options.stores.deadLetters.append(record));
      if (isSaved) this.#unsavedLetters.delete(record);
    });
  }

  /** One after the other for each file, so that no write overtakes another. */
  async #inTurn(file: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(file) ?? Promise.resolve()).then(work);
    this.#turns.set(file, turn);
    await turn;
    if (this.#turns.get(file) === turn) this.#turns.delete(file);
  }

  /** Trouble is told when the first store fails, and its end when the last one works again. */
  async #try(store: StoreName, write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      this.#heal(store);
      return true;
    } catch (error) {
      if (this.#troubled.size === 0) this.#options.onTrouble(error);
      this.#troubled.add(store);
      return false;
    }
  }

  #heal(store: StoreName): void {
    if (this.#troubled.delete(store) && this.#troubled.size === 0) this.#options.onHealed();
  }
}

type StoreName = 'cursor' | 'journal' | 'dead letters';

/** Adds to what is owed to the disk; the oldest goes when a disk stays away for too long. */
function keep<T>(owed: Set<T>, item: T): void {
  owed.add(item);
  for (const oldest of owed) {
    if (owed.size <= MAX_OWED) return;
    owed.delete(oldest);
  }
}
