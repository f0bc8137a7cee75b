import type { JournalEntry, MessageJournal } from './message-journal.ts';

/** A {@link MessageJournal} that forgets with the process. */
export class MemoryMessageJournal implements MessageJournal {
  readonly #entries = new Map<string, JournalEntry>();

  async load(activityId: string): Promise<JournalEntry | undefined> {
    return this.#entries.get(activityId);
  }

  async save(activityId: string, entry: JournalEntry): Promise<void> {
    this.#entries.set(activityId, structuredClone(entry));
  }

  async remove(activityId: string): Promise<void> {
    this.#entries.delete(activityId);
  }
}
