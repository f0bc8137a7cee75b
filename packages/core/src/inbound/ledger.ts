/** One row of the feed that is not yet acknowledged. */
interface LedgerEntry {
  readonly id: string;
  readonly seq: number | null;
  isFinished: boolean;
}

/**
 * The books of delivery, pure: which rows were read, in feed order, and which are finished. The acknowledged
 * position is the end of the longest run of finished rows from the oldest one on (decision 12), so it never
 * covers a row that is not finished, in whatever order rows finish.
 */
export class Ledger {
  readonly #entries: LedgerEntry[] = [];
  readonly #byId = new Map<string, LedgerEntry>();
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
    return this.#entries.length;
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
    return this.#entries.filter((entry) => entry.isFinished).map((entry) => entry.id);
  }

  /** Enters a row, by `seq` where both rows have one, else at the end. False when it is entered already. */
  add(id: string, seq: number | null, isFinished: boolean): boolean {
    if (this.#byId.has(id)) return false;
    const entry = { id, seq, isFinished };
    this.#entries.splice(this.#placeFor(seq), 0, entry);
    this.#byId.set(id, entry);
    if (isFinished) this.#advance();
    else this.#unfinished += 1;
    return true;
  }

  /** Marks a row as finished. False when it is not entered or was finished before. */
  finish(id: string): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined || entry.isFinished) return false;
    entry.isFinished = true;
    this.#unfinished -= 1;
    this.#advance();
    return true;
  }

  /** Forgets the position, not the rows: the platform no longer knows it. */
  forgetPosition(): void {
    this.#acknowledged = null;
  }

  #placeFor(seq: number | null): number {
    let place = this.#entries.length;
    if (seq === null) return place;
    for (; place > 0; place -= 1) {
      const before = this.#entries[place - 1]?.seq ?? null;
      if (before === null || before <= seq) break;
    }
    return place;
  }

  #advance(): void {
    const firstOpen = this.#entries.findIndex((entry) => !entry.isFinished);
    const prefix = this.#entries.splice(0, firstOpen === -1 ? this.#entries.length : firstOpen);
    for (const entry of prefix) {
      this.#byId.delete(entry.id);
      const isOlder =
        entry.seq !== null &&
        this.#acknowledged !== null &&
        this.#acknowledged.seq !== null &&
        entry.seq < this.#acknowledged.seq;
      if (!isOlder) this.#acknowledged = { id: entry.id, seq: entry.seq };
    }
  }
}
