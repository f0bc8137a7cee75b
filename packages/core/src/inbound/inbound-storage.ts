import type { Logger } from '../logging/logger.ts';
import type { CursorRecord } from './cursor-store.ts';
import type { DeadLetterRecord } from './dead-letter-store.ts';
import type { InboundStores } from './inbound-stores.ts';
import { MemoryMessageJournal } from './memory-message-journal.ts';
import type { JournalEntry } from './message-journal.ts';

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
  readonly #unsaved = new MemoryMessageJournal();
  #isTroubled = false;
  #writing: Promise<boolean> = Promise.resolve(true);
  #queued: Promise<boolean> | undefined;

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
    if (this.#queued !== undefined) return this.#queued;
    const write = this.#writing.then(() => {
      this.#queued = undefined;
      return this.#try(() => this.#options.stores.cursor.save(snapshot()));
    });
    this.#queued = write;
    this.#writing = write;
    return write;
  }

  async loadEntry(activityId: string): Promise<JournalEntry | undefined> {
    const unsaved = await this.#unsaved.load(activityId);
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
    const isSaved = await this.#try(() => this.#options.stores.journal.save(activityId, entry));
    if (isSaved) await this.#unsaved.remove(activityId);
    else await this.#unsaved.save(activityId, entry);
  }

  async removeEntry(activityId: string): Promise<void> {
    await this.#unsaved.remove(activityId);
    await this.#try(() => this.#options.stores.journal.remove(activityId));
  }

  async addDeadLetter(record: DeadLetterRecord): Promise<void> {
    await this.#try(() => this.#options.stores.deadLetters.append(record));
  }

  async #try(write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      if (this.#isTroubled) {
        this.#isTroubled = false;
        this.#options.onHealed();
      }
      return true;
    } catch (error) {
      if (!this.#isTroubled) {
        this.#isTroubled = true;
        this.#options.onTrouble(error);
      }
      return false;
    }
  }
}
