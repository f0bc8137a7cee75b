/** How far an agent came with its feed. Ids only, no text of any message. */
export interface CursorRecord {
  /** The last row of the finished prefix; `null` means: ask for what is not acknowledged. */
  readonly acknowledged: string | null;
  /** The last row read; for people, a start always goes on from `acknowledged`. */
  readonly read: string | null;
  /** Rows finished ahead of an older one that is not. */
  readonly finishedAhead: readonly string[];
  /** Keys of messages finished lately, so that a second copy is not handled again. */
  readonly recent: readonly string[];
  /** Attempts made, by row, of messages not finished; survives a handler that ends the process. */
  readonly attempts: Readonly<Record<string, number>>;
}

/** Where the position is kept between runs. */
export interface CursorStore {
  /** The stored record, or `undefined` when there is none. Rejects when it cannot be read. */
  load(): Promise<CursorRecord | undefined>;
  /** Replaces the record as a whole or leaves the old one as it was. */
  save(record: CursorRecord): Promise<void>;
}
