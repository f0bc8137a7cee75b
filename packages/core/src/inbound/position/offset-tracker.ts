/** One row of the feed that is not yet acknowledged. */
interface TrackedRow {
  readonly id: string;
  readonly seq: number | null;
  isFinished: boolean;
}

/**
 * Which rows of the feed were read, in feed order, and which are finished. The acknowledged position is the end of
 * the longest run of finished rows from the oldest one on, so it never covers a row that is not finished, in
 * whatever order rows finish. Pure.
 */
export class OffsetTracker {
  readonly #rows: TrackedRow[] = [];
  readonly #byId = new Map<string, TrackedRow>();
  #acknowledged: { readonly id: string; readonly seq: number | null } | null;
  #unfinished = 0;

  /** @param acknowledged The position an earlier run came to. */
  constructor(acknowledged: string | null = null) {
    this.#acknowledged = acknowledged === null ? null : { id: acknowledged, seq: null };
  }

  /** The last row of the finished prefix; `null` when none is known. */
  get acknowledged(): string | null {
    return this.#acknowledged?.id ?? null;
  }

  /** Rows read and not acknowledged. */
  get size(): number {
    return this.#rows.length;
  }

  /** Rows read and not finished. */
  get unfinished(): number {
    return this.#unfinished;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Finished rows that wait for an older one, oldest first. */
  finishedAhead(): string[] {
    return this.#rows.filter((row) => row.isFinished).map((row) => row.id);
  }

  /** Enters a row, by `seq` where both rows have one, else at the end. False when it is entered already. */
  add(id: string, seq: number | null, isFinished: boolean): boolean {
    if (this.#byId.has(id)) return false;
    const row = { id, seq, isFinished };
    this.#rows.splice(this.#placeFor(seq), 0, row);
    this.#byId.set(id, row);
    if (isFinished) this.#advance();
    else this.#unfinished += 1;
    return true;
  }

  /** Marks a row as finished. False when it is not entered or was finished before. */
  finish(id: string): boolean {
    const row = this.#byId.get(id);
    if (row === undefined || row.isFinished) return false;
    row.isFinished = true;
    this.#unfinished -= 1;
    this.#advance();
    return true;
  }

  /** Forgets the position, not the rows: the platform no longer knows it. */
  forgetPosition(): void {
    this.#acknowledged = null;
  }

  #placeFor(seq: number | null): number {
    let place = this.#rows.length;
    if (seq === null) return place;
    for (; place > 0; place -= 1) {
      const before = this.#rows[place - 1]?.seq ?? null;
      if (before === null || before <= seq) break;
    }
    return place;
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
