import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import { LazyMap } from '../collections/lazy-map.ts';
import { LazySet } from '../collections/lazy-set.ts';
import type { UnreadRow } from '../errors/page-too-large-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { KeptEnd } from './arrivals/arrival.ts';
import { ArrivalLog } from './arrivals/arrival-log.ts';
import { ArrivalState } from './arrivals/arrival-state.ts';
import { MessageDedupe, messageKey } from './dedupe/message-dedupe.ts';
import { OffsetTracker } from './position/offset-tracker.ts';
import type { FeedPosition } from './sources/message-source.ts';
import { DeadLetterList, type StoredDeadLetter } from './stores/dead-letters.ts';
import {
  type InboundRecord,
  loadRecords,
  positionRecord,
  type ReportedOutcome,
  snapshotRecords,
} from './stores/inbound-records.ts';
import type { InboundStore } from './stores/inbound-store.ts';
import {
  type MessageProgress,
  mergeProgress,
  NO_PROGRESS,
  type ProgressChange,
} from './stores/message-progress.ts';
import { RecordWriter } from './stores/record-writer.ts';

/** How a message ends that is not answered. */
export type MessageEnd = Omit<ReportedOutcome, 'activityId'>;

export interface InboundStateOptions {
  readonly store: InboundStore;
  readonly logger: Logger;
  /** Whether the platform takes outcomes; else none is recorded. */
  readonly takesOutcomes: () => boolean;
  /** The state can no longer be stored; the agent continues with the state in memory. */
  readonly onDegraded: (error: unknown) => void;
  readonly onRecovered: () => void;
  /** A message was finished, or its outcome reported: the position may have moved, and there may be capacity for more. */
  readonly onFinished: () => void;
}

/** Whether a message has to be handled. Of a copy that a request brought before, how that ended. */
export type Novelty = 'new' | 'copy' | KeptEnd;

/**
 * The state of all messages, in memory and in the store: which rows of the feed were read and finished, recently seen
 * messages, the progress of each pending message, the outcomes to report, and the dead letters. A change that returns a
 * promise resolves with whether it was stored; it never rejects.
 */
export class InboundState {
  readonly #options: InboundStateOptions;
  readonly #writer: RecordWriter;
  #tracker = new OffsetTracker();
  #dedupe = new MessageDedupe();
  /** Rows that an earlier run finished before an older unfinished row; they are read again. */
  #finishedAhead = new LazySet<string>();
  #progress = new LazyMap<string, MessageProgress>();
  #deadLetters = new DeadLetterList();
  #outcomes = new LazyMap<string, ReportedOutcome>();
  #arrivals = new ArrivalLog();
  #arrivalState = this.#newArrivalState();
  #readPosition: string | null = null;
  #recordedPosition: string | null = null;
  /** Until the end of the feed is reached, rows can be older than those in the tracker. */
  #isRereading = true;

  constructor(options: InboundStateOptions) {
    this.#options = options;
    this.#writer = new RecordWriter({ ...options, snapshot: () => this.#snapshot() });
  }

  /** Loads the stored state. Call once, before anything else. */
  async load(): Promise<void> {
    const stored = await loadRecords(this.#options);
    this.#tracker = new OffsetTracker(stored.acknowledged);
    this.#dedupe = new MessageDedupe(stored.finishedKeys);
    this.#finishedAhead = stored.finishedAhead;
    this.#progress = stored.progress;
    this.#deadLetters = stored.deadLetters;
    this.#outcomes = stored.outcomes;
    this.#arrivals = stored.arrivals;
    this.#arrivalState = this.#newArrivalState();
    this.#readPosition = stored.acknowledged;
    this.#recordedPosition = stored.acknowledged;
  }

  /** The feed is read after this row; `null` reads everything that is not acknowledged. */
  get readPosition(): string | null {
    return this.#readPosition;
  }

  /** The last row of the finished prefix; `null` if unknown. */
  get acknowledged(): string | null {
    return this.#tracker.acknowledged;
  }

  /** Number of messages read, or brought by a request, and not finished. */
  get unfinished(): number {
    return this.#tracker.unfinished + this.#arrivals.count;
  }

  /** The messages that requests brought. */
  get arrivals(): ArrivalState {
    return this.#arrivalState;
  }

  /** Number of rows read and not covered by the acknowledged position. */
  get open(): number {
    return this.#tracker.size;
  }

  /** Whether a row is read and not covered by the acknowledged position. */
  isOpen(row: string): boolean {
    return this.#tracker.has(row);
  }

  /** Whether a row was finished with all before it. Only some hundred finished rows are remembered. */
  isBehind(row: string): boolean {
    return this.#dedupe.isFinished(row) && !this.#finishedAhead.has(row) && !this.#tracker.has(row);
  }

  /**
   * Adds a message. A copy was read or brought by a request before; one of which the platform does not know how it ended
   * has the kept end, and remains open until {@link finishCopy}.
   * @param position The position in the feed; `null` for a message from another source.
   */
  accept(message: InboundMessage, position: FeedPosition | null): Novelty {
    const { id } = message;
    if (this.#tracker.has(id)) return 'copy';
    const isFinishedAhead = this.#finishedAhead.delete(id);
    const kept = isFinishedAhead || position === null ? undefined : this.#arrivals.endOf(messageKey(message));
    if (kept !== undefined && position !== null && (kept.row === id || !this.#dedupe.isFinished(id))) {
      this.#tracker.add(id, position.seq, false);
      return kept;
    }
    if (!isFinishedAhead && this.#dedupe.isFinished(id)) return 'copy';
    const novelty = isFinishedAhead ? 'copy-of-finished' : this.#dedupe.begin(message);
    const isFinished = novelty === 'copy-of-finished';
    if (position !== null) this.#tracker.add(id, position.seq, isFinished);
    if (isFinished && !isFinishedAhead) {
      void this.#write({ type: 'finished', rows: position === null ? [] : [id], keys: [id] });
    }
    return novelty === 'new' ? 'new' : 'copy';
  }

  /** Finishes a row whose message a request had brought before. */
  finishCopy(row: string, end: MessageEnd | null): Promise<boolean> {
    this.#tracker.finish(row);
    const records = end === null ? [] : this.#recordOutcomes([row], end);
    const stored = this.#write(...records, { type: 'finished', rows: [row], keys: [row] });
    this.#options.onFinished();
    return stored;
  }

  /** Call after the messages of a page were accepted. Moves the read position past its last row, message or not. */
  endPage({ lastRowId, hasMore }: Pick<InboundPage, 'lastRowId' | 'hasMore'>): void {
    // While rows are read again, the last row of a page can be older than an unfinished one.
    const isOld = this.#isRereading && hasMore && this.#tracker.size > 0;
    if (!hasMore) this.#isRereading = false;
    if (lastRowId === null) return;
    this.#readPosition = lastRowId;
    const isKnown = lastRowId === this.#tracker.acknowledged || this.#tracker.has(lastRowId);
    if (!isKnown && !isOld) this.#tracker.add(lastRowId, null, true);
    void this.save();
  }

  /** Finishes a row that was not read, and moves the read position past it. */
  setAside(row: UnreadRow, end: MessageEnd): Promise<boolean> {
    this.#readPosition = row.id;
    if (this.#tracker.has(row.id)) return this.save();
    // Without a number it may be older than the rows in the tracker, which must not be acknowledged for it.
    if (row.seq !== null || !this.#isRereading || this.#tracker.size === 0) {
      this.#tracker.add(row.id, row.seq, true);
    }
    const finished: InboundRecord = { type: 'finished', rows: [row.id], keys: [] };
    const stored = this.#write(...this.#recordOutcomes([row.id], end), finished);
    this.#options.onFinished();
    return stored;
  }

  /** The platform no longer knows the position: everything that is not acknowledged is read again. */
  async forgetPosition(): Promise<void> {
    this.#readPosition = null;
    this.#isRereading = true;
    this.#tracker.forgetPosition();
    await this.save();
  }

  /**
   * Finishes the message and its copies.
   * @param end How it ended, for the platform; `null` when it was answered, or the platform ended it.
   * @param isReported Whether the platform learns the end of the message itself in another way.
   */
  finish(message: InboundMessage, end: MessageEnd | null = null, isReported = false): Promise<boolean> {
    const finished = this.#dedupe.finish(message);
    // At most once, a message is finished before it is handled, and ends later.
    const known = (finished?.rows ?? [message.id]).filter((row) => !isReported || this.#tracker.has(row));
    const records = end === null ? [] : this.#recordOutcomes(known, end);
    // A kept end says the same after a crash.
    let canWait = false;
    if (finished !== undefined) {
      const rows = finished.rows.filter((row) => this.#tracker.finish(row));
      this.#progress.delete(message.id);
      this.#arrivals.finish(message.id);
      canWait = records.length + rows.length === 0 && this.#arrivals.endOf(messageKey(message)) !== undefined;
      records.push({ type: 'finished', rows, keys: finished.keys });
    }
    const stored = canWait ? this.#writer.defer(...records) : this.#write(...records);
    if (records.length > 0) this.#options.onFinished();
    return stored;
  }

  /** Outcomes that the platform does not have yet, oldest first. */
  get outcomes(): Pick<LazyMap<string, ReportedOutcome>, 'size' | 'has' | 'values'> {
    return this.#outcomes;
  }

  /** The platform has these outcomes, or will never take them. One that was replaced meanwhile stays. */
  outcomesReported(outcomes: readonly ReportedOutcome[]): void {
    const reported = outcomes.filter((outcome) => this.#outcomes.get(outcome.activityId) === outcome);
    for (const { activityId } of reported) this.#outcomes.delete(activityId);
    void this.#write({ type: 'outcomes-reported', rows: reported.map(({ activityId }) => activityId) });
    this.#options.onFinished();
  }

  /** The progress of a message, including earlier runs. */
  progressOf(message: InboundMessage): MessageProgress {
    return this.#progress.get(message.id) ?? NO_PROGRESS;
  }

  /** Ignored for a finished message. A deferred change is stored with the next write, which {@link save} begins. */
  async saveProgress(message: InboundMessage, change: ProgressChange, isDeferred = false): Promise<boolean> {
    if (!this.#dedupe.isPending(message)) return false;
    this.#progress.set(message.id, mergeProgress(this.progressOf(message), change));
    const record: InboundRecord = { type: 'progress', row: message.id, change };
    return isDeferred ? this.#writer.defer(record) : this.#write(record);
  }

  get deadLetters(): Pick<DeadLetterList, 'all' | 'count' | 'find'> {
    return this.#deadLetters;
  }

  /** Adds a dead letter, or replaces that of the same message. */
  addDeadLetter(letter: StoredDeadLetter): Promise<boolean> {
    const dropped = this.#deadLetters.add(letter);
    if (dropped > 0) {
      this.#options.logger.warn({ dropped }, 'There are too many dead letters: the oldest were dropped.');
    }
    return this.#write({ type: 'dead-letter', letter });
  }

  removeDeadLetter(activityId: string): Promise<boolean> {
    this.#deadLetters.remove(activityId);
    return this.#write({ type: 'dead-letter-removed', row: activityId });
  }

  /** Resolves when the current state was stored, or could not be. */
  save(): Promise<boolean> {
    return this.#write();
  }

  /** Like {@link save}; also removes the texts of finished messages from the store. */
  compact(): Promise<boolean> {
    return this.#writer.compact();
  }

  /** Ignores all later writes. */
  close(): void {
    this.#writer.close();
  }

  #recordOutcomes(rows: readonly string[], end: MessageEnd): InboundRecord[] {
    if (!this.#options.takesOutcomes()) return [];
    return rows.map((activityId) => {
      const outcome = { activityId, ...end };
      this.#outcomes.delete(activityId);
      this.#outcomes.set(activityId, outcome);
      return { type: 'outcome', outcome };
    });
  }

  #write(...records: InboundRecord[]): Promise<boolean> {
    const { acknowledged } = this.#tracker;
    if (acknowledged !== this.#recordedPosition) {
      this.#recordedPosition = acknowledged;
      records.push(positionRecord(acknowledged, [...this.#finishedAhead, ...this.#tracker.finishedAhead()]));
    }
    return this.#writer.write(...records);
  }

  #newArrivalState(): ArrivalState {
    return new ArrivalState({
      log: this.#arrivals,
      dedupe: this.#dedupe,
      isOnFeed: (row) => this.#tracker.has(row),
      write: (record) => this.#write(record),
      forget: (row) => void this.#progress.delete(row),
      finish: (message) => void this.finish(message),
      onRoom: () => this.#options.onFinished(),
    });
  }

  #snapshot(): InboundRecord[] {
    return snapshotRecords({
      acknowledged: this.#tracker.acknowledged,
      finishedAhead: new LazySet([...this.#finishedAhead, ...this.#tracker.finishedAhead()]),
      finishedKeys: new Set(this.#dedupe.finishedKeys),
      progress: this.#progress,
      deadLetters: this.#deadLetters,
      outcomes: this.#outcomes,
      arrivals: this.#arrivals,
    });
  }
}
