import type { InboundStore } from './inbound-store.ts';
import type { LedgerLine } from './ledger-lines.ts';

/** The log is replaced when the appended part is this many times the size of the last snapshot, within limits in characters. */
const COMPACT_FACTOR = 4;
const COMPACT_MIN_LENGTH = 256 * 1024;
const COMPACT_MAX_LENGTH = 64 * 1024 * 1024;

export interface LedgerLogOptions {
  readonly store: InboundStore;
  /** The complete current state. */
  readonly snapshot: () => readonly LedgerLine[];
  /** Writing fails; called once per outage. */
  readonly onDegraded: (error: unknown) => void;
  readonly onRecovered: () => void;
}

/**
 * Writes the lines of a ledger to a store, which is closed with it. The lines of one tick, and those added during a write, are one append. The first
 * write of a process, the first after a failure, and one when the log has grown too long replace the log by a snapshot; therefore
 * lines need not be buffered while the store fails. Never rejects.
 */
export class LedgerLog {
  readonly #options: LedgerLogOptions;
  #queue: LedgerLine[] = [];
  #writing: Promise<boolean> = Promise.resolve(true);
  #queued: Promise<boolean> | undefined;
  #mustReplace = true;
  #snapshotLength = 0;
  #appendedLength = 0;
  #isDegraded = false;
  #isClosed = false;

  constructor(options: LedgerLogOptions) {
    this.#options = options;
  }

  /**
   * Resolves with whether this and all earlier lines are stored. Update the state of the snapshot before.
   * @param waitsForMore whether the write begins in the next turn of the event loop: what arrives together, and answers that are made at once, share it
   */
  write(line?: LedgerLine, waitsForMore = false): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (line !== undefined) this.#queue.push(line);
    if (this.#queued !== undefined) return this.#queued;
    if (this.#queue.length === 0 && !this.#mustReplace) return this.#writing;
    const write = (waitsForMore ? this.#writing.then(nextTurn) : this.#writing).then(() => {
      this.#queued = undefined;
      return this.#writeQueue();
    });
    this.#queued = write;
    this.#writing = write;
    return write;
  }

  /** Like {@link write}, and reduces the log to the current state, without texts of finished messages. */
  compact(): Promise<boolean> {
    if (this.#appendedLength > 0) this.#mustReplace = true;
    return this.write();
  }

  /** Ignores all later writes, because another process may use the store from now on. */
  close(): void {
    this.#isClosed = true;
    const { store } = this.#options;
    void this.#writing.then(() => store.close?.());
  }

  async #writeQueue(): Promise<boolean> {
    const { store, snapshot, onDegraded, onRecovered } = this.#options;
    const lines = this.#queue.splice(0).map((line) => JSON.stringify(line));
    if (this.#isClosed) return false;
    if (!this.#mustReplace && lines.length > 0) {
      try {
        await store.append(lines);
        this.#appendedLength += lengthOf(lines);
      } catch {
        this.#mustReplace = true;
      }
    }
    if (this.#mustReplace) {
      try {
        // The snapshot includes the lines queued in the meantime.
        this.#queue.length = 0;
        const all = snapshot().map((line) => JSON.stringify(line));
        await store.replace(all);
        this.#mustReplace = false;
        this.#snapshotLength = lengthOf(all);
        this.#appendedLength = 0;
      } catch (error) {
        if (!this.#isDegraded) onDegraded(error);
        this.#isDegraded = true;
        return false;
      }
    }
    if (this.#isDegraded) onRecovered();
    this.#isDegraded = false;
    const most = Math.min(COMPACT_FACTOR * this.#snapshotLength, COMPACT_MAX_LENGTH);
    this.#mustReplace = this.#appendedLength > Math.max(COMPACT_MIN_LENGTH, most);
    return true;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}
