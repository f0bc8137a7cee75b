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
  /** The last row of the finished prefix; `null` if unknown. */
  acknowledged: string | null;
  /** Number of rows read and not finished. */
  unfinished = 0;
  #acknowledgedSeq: number | null = null;

  /** @param acknowledged The stored position of an earlier run. */
  constructor(acknowledged: string | null = null) {
    this.acknowledged = acknowledged;
  }

  /** Number of rows read and not acknowledged. */
  get size(): number {
    return this.#rows.length;
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
    else this.unfinished += 1;
    return true;
  }

  /** Marks a row as finished. Returns false if it is unknown or already finished. */
  finish(id: string): boolean {
    const row = this.#byId.get(id);
    if (row === undefined || row.isFinished) return false;
    row.isFinished = true;
    this.unfinished -= 1;
    this.#advance();
    return true;
  }

  /** Clears the position but keeps the rows. */
  forgetPosition(): void {
    this.acknowledged = null;
    this.#acknowledgedSeq = null;
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
      if (row.seq !== null && this.#acknowledgedSeq !== null && row.seq < this.#acknowledgedSeq) continue;
      this.acknowledged = row.id;
      this.#acknowledgedSeq = row.seq;
    }
  }
}
