interface TrackedRow {
  readonly id: string;
  readonly seq: number | null;
  isFinished: boolean;
}

/**
 * Tracks which rows of the feed were read, in feed order, and which are finished. The acknowledged position is the end of
 * the finished prefix, so it never covers an unfinished row, in whatever order rows finish. No I/O.
 */
export class OffsetTracker {
  readonly #rows: TrackedRow[] = [];
  readonly #byId = new Map<string, TrackedRow>();
  #acknowledged: { readonly id: string; readonly seq: number | null } | null;
  #unfinished = 0;

  /** @param acknowledged The stored position of an earlier run. */
  constructor(acknowledged: string | null = null) {
    this.#acknowledged = acknowledged === null ? null : { id: acknowledged, seq: null };
  }

  /** The last row of the finished prefix; `null` if unknown. */
  get acknowledged(): string | null {
    return this.#acknowledged?.id ?? null;
  }

  /** Number of rows read and not acknowledged. */
  get size(): number {
    return this.#rows.length;
  }

  /** Number of rows read and not finished. */
  get unfinished(): number {
    return this.#unfinished;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Rows that finished before an older row, oldest first. */
  finishedAhead(): string[] {
    return this.#rows.filter((row) => row.isFinished).map((row) => row.id);
  }

  /** Inserts a row by `seq`, or at the end if there is none. Returns false if it was already added. */
  add(id: string, seq: number | null, isFinished: boolean): boolean {
    if (this.#byId.has(id)) return false;
    const row = { id, seq, isFinished };
    this.#rows.splice(this.#indexFor(seq), 0, row);
    this.#byId.set(id, row);
    if (isFinished) this.#advance();
    else this.#unfinished += 1;
    return true;
  }

  /** Marks a row as finished. Returns false if it is unknown or already finished. */
  finish(id: string): boolean {
    const row = this.#byId.get(id);
    if (row === undefined || row.isFinished) return false;
    row.isFinished = true;
    this.#unfinished -= 1;
    this.#advance();
    return true;
  }

  /** Clears the position but keeps the rows. */
  forgetPosition(): void {
    this.#acknowledged = null;
  }

  #indexFor(seq: number | null): number {
    let index = this.#rows.length;
    if (seq === null) return index;
    for (; index > 0; index -= 1) {
      const before = this.#rows[index - 1]?.seq ?? null;
      if (before === null || before <= seq) break;
    }
    return index;
  }

  #advance(): void {
    const firstOpen = this.#rows.findIndex((row) => !row.isFinished);
    const prefix = this.#rows.splice(0, firstOpen === -1 ? this.#rows.length : firstOpen);
    for (const row of prefix) {
      this.#byId.delete(row.id);
      const isOlder =
        row.seq !== null &&
        this.#acknowledged !== null &&
        this.#acknowledged.seq !== null &&
        row.seq < this.#acknowledged.seq;
      if (!isOlder) this.#acknowledged = { id: row.id, seq: row.seq };
    }
  }
}
