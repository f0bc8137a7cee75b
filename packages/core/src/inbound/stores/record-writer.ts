import type { InboundRecord } from './inbound-records.ts';
import type { InboundStore } from './inbound-store.ts';

/** The log is replaced when what was appended is this many times the size of what it amounts to. */
const COMPACT_FACTOR = 4;
const COMPACT_MIN_LENGTH = 256 * 1024;

export interface RecordWriterOptions {
  readonly store: InboundStore;
  /** Everything that is known now, as records. */
  readonly snapshot: () => readonly InboundRecord[];
  /** Nothing can be written; called once until it can be again. */
  readonly onDegraded: (error: unknown) => void;
  readonly onRecovered: () => void;
}

/**
 * Writes records to a store: those of one tick, and those that come while a write is under way, in one append. The
 * first write of a process, the one after a failure, and one when the log has grown too long, replace the log by a
 * snapshot; so nothing has to be kept for a store that does not work. Never rejects.
 */
export class RecordWriter {
  readonly #options: RecordWriterOptions;
  #queue: InboundRecord[] = [];
  #writing: Promise<boolean> = Promise.resolve(true);
  #queued: Promise<boolean> | undefined;
  #mustReplace = true;
  #snapshotLength = 0;
  #appendedLength = 0;
  #isDegraded = false;
  #isClosed = false;

  constructor(options: RecordWriterOptions) {
    this.#options = options;
  }

  /** Resolves with whether these records, and all before them, are stored. They are in the next snapshot already. */
  write(...records: readonly InboundRecord[]): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    this.#queue.push(...records);
    if (this.#queued !== undefined) return this.#queued;
    if (this.#queue.length === 0 && !this.#mustReplace) return this.#writing;
    const write = this.#writing.then(() => {
      this.#queued = undefined;
      return this.#writeQueue();
    });
    this.#queued = write;
    this.#writing = write;
    return write;
  }

  /** Like {@link write}, and leaves no more in the log than what is known: no text of a finished message. */
  compact(): Promise<boolean> {
    if (this.#appendedLength > 0) this.#mustReplace = true;
    return this.write();
  }

  /** Writes nothing more: from now on the store may be another process's. */
  close(): void {
    this.#isClosed = true;
  }

  async #writeQueue(): Promise<boolean> {
    const { store, snapshot, onDegraded, onRecovered } = this.#options;
    const lines = this.#queue.splice(0).map((record) => JSON.stringify(record));
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
        // What was queued meanwhile is in the snapshot.
        this.#queue.length = 0;
        const all = snapshot().map((record) => JSON.stringify(record));
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
    const limit = Math.max(COMPACT_MIN_LENGTH, COMPACT_FACTOR * this.#snapshotLength);
    this.#mustReplace = this.#appendedLength > limit;
    return true;
  }
}

function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}
