import type { JsonValue } from '@molecule-ai/protocol';

/** What is known about the handling of one message that is not finished. */
export interface JournalEntry {
  /** Set when the handler is done: the answer to send, or `null` for none. It does not run again. */
  readonly outcome: { readonly reply: string | null } | null;
  /** Answers the handler sent itself through `context.reply`. */
  readonly repliesSent: number;
  /** Results of `context.once`, by key. */
  readonly effects: Readonly<Record<string, JsonValue>>;
}

export const EMPTY_JOURNAL_ENTRY: JournalEntry = Object.freeze({
  outcome: null,
  repliesSent: 0,
  effects: {},
});

/** Keeps what must survive a crash in the middle of a message. Holds texts: private. */
export interface MessageJournal {
  load(activityId: string): Promise<JournalEntry | undefined>;
  save(activityId: string, entry: JournalEntry): Promise<void>;
  remove(activityId: string): Promise<void>;
}
