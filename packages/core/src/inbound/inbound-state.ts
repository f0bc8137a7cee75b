import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import type { Logger } from '../logging/logger.ts';
import { MessageDedupe } from './dedupe/message-dedupe.ts';
import { OffsetTracker } from './position/offset-tracker.ts';
import type { FeedPosition } from './sources/message-source.ts';
import {
  addDeadLetter,
  type DeadLetter,
  type InboundRecord,
  type MessageProgress,
  mergeProgress,
  NO_PROGRESS,
  type ProgressChange,
  positionRecord,
  replayRecords,
  snapshotRecords,
} from './stores/inbound-records.ts';
import type { InboundStore } from './stores/inbound-store.ts';
import { RecordWriter } from './stores/record-writer.ts';

export interface InboundStateOptions {
  readonly store: InboundStore;
  readonly logger: Logger;
  /** What is known can no longer be stored; the agent continues with what it has in memory. */
  readonly onDegraded: (error: unknown) => void;
  readonly onRecovered: () => void;
  /** A message was finished: the acknowledged position may have moved, and more may be read. */
  readonly onFinished: () => void;
}

/**
 * Everything that is known about messages, in memory and in the store: which rows of the feed were read, which are
 * finished and may be acknowledged, which messages were seen before, how far the handling of each came, and the dead
 * letters. A change that returns a promise resolves with whether it is stored, and never rejects.
 */
export class InboundState {
  readonly #options: InboundStateOptions;
  readonly #writer: RecordWriter;
  #tracker = new OffsetTracker();
  #dedupe = new MessageDedupe();
  /** Rows that an earlier run finished ahead of an older one; they are read again. */
  #finishedAhead = new Set<string>();
  #progress = new Map<string, MessageProgress>();
  #deadLetters: DeadLetter[] = [];
  #readPosition: string | null = null;
  #recordedPosition: string | null = null;
  /** Rows may be older than those in the tracker, until the end of the feed is reached. */
  #isRereading = true;

  constructor(options: InboundStateOptions) {
    this.#options = options;
    this.#writer = new RecordWriter({ ...options, snapshot: () => this.#snapshot() });
  }

  /** Reads what an earlier run stored. Call once, before anything else. */
  async load(): Promise<void> {
    const stored = await this.#replay();
    this.#tracker = new OffsetTracker(stored.acknowledged);
    this.#dedupe = new MessageDedupe(stored.finishedKeys);
    this.#finishedAhead = stored.finishedAhead;
    this.#progress = stored.progress;
    this.#deadLetters = stored.deadLetters;
    this.#readPosition = stored.acknowledged;
    this.#recordedPosition = stored.acknowledged;
  }

  /** After which row the feed is read; `null` for everything not acknowledged. */
  get readPosition(): string | null {
    return this.#readPosition;
  }

  /** The last row of the finished prefix; `null` when none is known. */
  get acknowledged(): string | null {
    return this.#tracker.acknowledged;
  }

  /** Rows read and not finished. */
  get unfinished(): number {
    return this.#tracker.unfinished;
  }

  /** Rows read and not covered by the acknowledged position. */
  get open(): number {
    return this.#tracker.size;
  }

  /** Whether a row is read and not covered by the acknowledged position. */
  isOpen(row: string): boolean {
    return this.#tracker.has(row);
  }

  /**
   * Takes in a message; true when it has to be handled, false when it is known: read again, or a copy.
   * @param position Where it stands in the feed; `null` for a message that did not come from there.
   */
  accept(message: InboundMessage, position: FeedPosition | null): boolean {
    const { id } = message;
    if (this.#tracker.has(id)) return false;
    const isFinishedAhead = this.#finishedAhead.delete(id);
    if (!isFinishedAhead && this.#dedupe.isFinished(id)) return false;
    const novelty = isFinishedAhead ? 'copy-of-finished' : this.#dedupe.begin(message);
    const isFinished = novelty === 'copy-of-finished';
    if (position !== null) this.#tracker.add(id, position.seq, isFinished);
    if (isFinished && !isFinishedAhead) {
      void this.#write({ type: 'finished', rows: position === null ? [] : [id], keys: [id] });
    }
    return novelty === 'new';
  }

  /** The page's messages are accepted: moves the position past its last row, whether that is a message or not. */
  endPage({ lastRowId, hasMore }: Pick<InboundPage, 'lastRowId' | 'hasMore'>): void {
    // While older rows are read again, a page's last row can be older than one that is not finished.
    const isOld = this.#isRereading && hasMore && this.#tracker.size > 0;
    if (!hasMore) this.#isRereading = false;
    if (lastRowId === null) return;
    this.#readPosition = lastRowId;
    const isKnown = lastRowId === this.#tracker.acknowledged || this.#tracker.has(lastRowId);
    if (!isKnown && !isOld) this.#tracker.add(lastRowId, null, true);
    void this.save();
  }

  /** The platform does not know the position: what is not acknowledged is read again. */
  async forgetPosition(): Promise<void> {
    this.#readPosition = null;
    this.#isRereading = true;
    this.#tracker.forgetPosition();
    await this.save();
  }

  /** The message, and further copies of it, need nothing more. */
  finish(message: InboundMessage): Promise<boolean> {
    const finished = this.#dedupe.finish(message);
    if (finished === undefined) return this.save();
    const rows = finished.rows.filter((row) => this.#tracker.finish(row));
    this.#progress.delete(message.id);
    const stored = this.#write({ type: 'finished', rows, keys: finished.keys });
    this.#options.onFinished();
    return stored;
  }

  /** How far the handling of a message came, in this run and earlier ones. */
  progressOf(message: InboundMessage): MessageProgress {
    return this.#progress.get(message.id) ?? NO_PROGRESS;
  }

  /** Ignored once the message is finished. */
  async saveProgress(message: InboundMessage, change: ProgressChange): Promise<boolean> {
    if (!this.#dedupe.isUnderWay(message)) return false;
    this.#progress.set(message.id, mergeProgress(this.progressOf(message), change));
    return this.#write({ type: 'progress', row: message.id, change });
  }

  addDeadLetter(letter: DeadLetter): Promise<boolean> {
    addDeadLetter(this.#deadLetters, letter);
    return this.#write({ type: 'dead-letter', letter });
  }

  /** Resolves once everything known now is stored, or could not be. */
  save(): Promise<boolean> {
    return this.#write();
  }

  /** Like {@link save}, and removes the texts of finished messages from the store. */
  compact(): Promise<boolean> {
    return this.#writer.compact();
  }

  /** Stores nothing more. */
  close(): void {
    this.#writer.close();
  }

  #write(...records: InboundRecord[]): Promise<boolean> {
    const { acknowledged } = this.#tracker;
    if (acknowledged !== this.#recordedPosition) {
      this.#recordedPosition = acknowledged;
      records.push(positionRecord(acknowledged, this.#allFinishedAhead()));
    }
    return this.#writer.write(...records);
  }

  async #replay(): Promise<ReturnType<typeof replayRecords>> {
    const { store, logger } = this.#options;
    try {
      const stored = replayRecords(await store.load());
      if (stored.unreadable > 0)
        logger.warn(
          { lines: stored.unreadable },
          'A part of the stored state is unreadable and is left out.',
        );
      return stored;
    } catch (error) {
      const text =
        'The stored state cannot be read: starting from what the platform has not seen acknowledged.';
      logger.warn({ error }, text);
      return replayRecords([]);
    }
  }

  #allFinishedAhead(): Set<string> {
    return new Set([...this.#finishedAhead, ...this.#tracker.finishedAhead()]);
  }

  #snapshot(): InboundRecord[] {
    return snapshotRecords({
      acknowledged: this.#tracker.acknowledged,
      finishedAhead: this.#allFinishedAhead(),
      finishedKeys: new Set(this.#dedupe.finishedKeys),
      progress: this.#progress,
      deadLetters: this.#deadLetters,
    });
  }
}
