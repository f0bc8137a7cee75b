import crypto from 'node:crypto';
import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import type { UnreadRow } from '../errors/api-error.ts';
import type { InboundCaller, MessageEnd } from '../inbound-http/inbound-agent.ts';
import type { Logger } from '../logging/logger.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { ArrivalRoom } from './arrival-room.ts';
import { FinishedKeys, keyOf } from './finished-keys.ts';
import type { InboundStore } from './inbound-store.ts';
import {
  type Arrival,
  arrivalOf,
  type EndedMessage,
  type LedgerLine,
  loadLines,
  type ReportedOutcome,
  type StoredDeadLetter,
  storedArrival,
} from './ledger-lines.ts';
import { LedgerLog } from './ledger-log.ts';
import {
  type Change,
  type MessageRecord,
  NO_PROGRESS,
  type Outcome,
  type Progress,
  withChange,
} from './life.ts';
import { OffsetTracker } from './offset-tracker.ts';

/** Limit for rows that may never be delivered again. */
const MAX_ROWS = 2_000;
/** Of dead letters, and of the ends that are kept for repeats; and of each of them together, as JSON. */
const MAX_KEPT = 1_000;
const MAX_CHARACTERS = 8 * 1024 * 1024;
/** Of a message that the platform keeps, or that was stored by an earlier run. */
const STORED = Promise.resolve(true);

export interface LedgerOptions {
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

/** The record of a message that is not finished. */
export interface OpenMessage extends MessageRecord {
  readonly key: string;
  /** The row under which it is handled, and those of its copies. */
  readonly rows: string[];
  /** Resolves with false when a request has brought it and it cannot be stored: it counts as never brought then. */
  readonly isStored: Promise<boolean>;
  progress: Progress;
}

/** What is known of a message that a request brings. */
export type Known =
  | { readonly kind: 'new' }
  | { readonly kind: 'open'; readonly record: OpenMessage }
  /** `ended`: missing when its end is no longer kept. */
  | { readonly kind: 'ended'; readonly ended: EndedMessage | undefined };

/**
 * Everything that the agent knows of messages, in memory and in the log: one record for each that is not finished, how far the feed
 * was read and finished, how the latest ones ended whose senders may ask again, dead letters, and what has to be reported to the platform. A change that
 * returns a promise resolves with whether it was stored; it never rejects.
 */
export class Ledger {
  /** What those take that requests have brought. */
  readonly room = new ArrivalRoom();
  /** Outcomes that the platform does not have yet, by row, oldest first. */
  readonly outcomes: ReadonlyMap<string, ReportedOutcome>;
  readonly #options: LedgerOptions;
  readonly #outcomes = new Map<string, ReportedOutcome>();
  readonly #log: LedgerLog;
  readonly #open = new Map<string, OpenMessage>();
  /** The keys of messages that requests brought, by the ids under which their senders ask for them. */
  readonly #tasks = new Map<string, string>();
  /** The progress that an earlier run made with rows that were not read again yet. */
  readonly #earlier = new Map<string, Progress>();
  readonly #finished = new FinishedKeys();
  /** Rows that an earlier run finished before an older unfinished row; they are read again. */
  readonly #finishedAhead = new Set<string>();
  readonly #ended = new Sized<EndedMessage>();
  readonly #letters = new Sized<StoredDeadLetter>();
  #position = new OffsetTracker();
  #readPosition: string | null = null;
  #recordedPosition: string | null = null;
  /** Until the end of the feed is reached, rows can be older than those that are known. */
  #isRereading = true;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.outcomes = this.#outcomes;
    this.#log = new LedgerLog({ ...options, snapshot: () => this.#snapshot() });
  }

  /**
   * Loads the log. Call once, before anything else.
   * @returns the messages that requests have brought to an earlier run, which has not finished them
   */
  async load(): Promise<readonly OpenMessage[]> {
    for (const line of await loadLines(this.#options)) this.#apply(line);
    this.#readPosition = this.#position.acknowledged;
    this.#recordedPosition = this.#readPosition;
    return [...this.#open.values()];
  }

  /** The feed is read after this row; `null` reads everything that is not acknowledged. */
  get readPosition(): string | null {
    return this.#readPosition;
  }

  /** The last row of the finished prefix; `null` if unknown. */
  get acknowledged(): string | null {
    return this.#position.acknowledged;
  }

  /** Number of messages read, or brought by a request, and not finished. */
  get unfinished(): number {
    return this.#position.unfinished + this.room.count;
  }

  /** How many more messages may be accepted: of so many that are read and not finished, and of so many rows that are not acknowledged. */
  freeOf(readAhead: number, mostRows: number): number {
    const free = readAhead - this.#position.unfinished - this.room.taken;
    return Math.min(free, mostRows - this.#position.size, mostRows - this.#outcomes.size);
  }

  /** Whether a row is read and not covered by the acknowledged position. */
  isUnacknowledged(row: string): boolean {
    return this.#position.has(row);
  }

  /** Whether the message, or a copy of it, is a row of the feed that is not acknowledged. */
  isOnFeed({ rows }: OpenMessage): boolean {
    return rows.some((row) => this.#position.has(row));
  }

  /** Whether a row was finished with all before it. Only some hundred finished rows are remembered. */
  isBehind(row: string): boolean {
    return this.#finished.has(row) && !this.#finishedAhead.has(row) && !this.#position.has(row);
  }

  /**
   * Adds a message of the feed. Returns its record if it is new, and nothing for a copy: it was read or brought by a request before. One of which the
   * platform does not know how it ended returns that, and remains open until {@link finishCopy}.
   * @param seq The position in the feed, `null` if unknown; missing for a message from another source.
   */
  read(message: InboundMessage, seq?: number | null): OpenMessage | EndedMessage | null {
    const { id } = message;
    if (this.#position.has(id)) return null;
    const isFinishedAhead = this.#finishedAhead.delete(id);
    const key = messageKey(message);
    const ended = isFinishedAhead || seq === undefined ? undefined : this.#ended.get(key);
    if (ended !== undefined && seq !== undefined && (ended.row === id || !this.#finished.has(id))) {
      this.#position.add(id, seq, false);
      return ended;
    }
    if (!isFinishedAhead && this.#finished.has(id)) return null;
    const isFinished = isFinishedAhead || this.#finished.has(key);
    if (seq !== undefined) this.#position.add(id, seq, isFinished);
    if (isFinished) {
      if (isFinishedAhead) return null;
      this.#finished.add(id);
      void this.#write({ finished: { rows: seq === undefined ? [] : [id], keys: [id] } });
      return null;
    }
    const open = this.#open.get(key);
    if (open !== undefined) {
      open.rows.push(id);
      return null;
    }
    const progress = this.#earlierOf(id);
    const record: OpenMessage = {
      key,
      message,
      via: 'feed',
      digest: '',
      rows: [id],
      progress,
      isStored: STORED,
    };
    this.#open.set(key, record);
    return record;
  }

  /** Finishes a row whose message a request had brought before. */
  finishCopy(row: string, outcome: Outcome | null): Promise<boolean> {
    this.#position.finish(row);
    this.#finished.add(row);
    const outcomes = this.#withOutcomes([row], outcome);
    const stored = this.#write({ ...outcomes, finished: { rows: [row], keys: [row] } });
    this.#options.onFinished();
    return stored;
  }

  /** Call after the messages of a page were read. Moves the read position past its last row, message or not. */
  endPage({ lastRowId, hasMore }: Pick<InboundPage, 'lastRowId' | 'hasMore'>): void {
    // While rows are read again, the last row of a page can be older than an unfinished one.
    const isOld = this.#isRereading && hasMore && this.#position.size > 0;
    if (!hasMore) this.#isRereading = false;
    if (lastRowId === null) return;
    this.#readPosition = lastRowId;
    const isKnown = lastRowId === this.#position.acknowledged || this.#position.has(lastRowId);
    if (!isKnown && !isOld) this.#position.add(lastRowId, null, true);
    void this.save();
  }

  /** Finishes a row that was not read, and moves the read position past it. */
  setAside(row: UnreadRow, letter: StoredDeadLetter, outcome: Outcome): Promise<boolean> {
    this.#readPosition = row.id;
    void this.addDeadLetter(letter);
    if (this.#position.has(row.id)) return this.save();
    // Without a number it may be older than the rows that are being handled, which must not be acknowledged for it.
    if (row.seq !== null || !this.#isRereading || this.#position.size === 0) {
      this.#position.add(row.id, row.seq, true);
    }
    const outcomes = this.#withOutcomes([row.id], outcome);
    const stored = this.#write({ ...outcomes, finished: { rows: [row.id], keys: [] } });
    this.#options.onFinished();
    return stored;
  }

  /** The platform no longer knows the position: everything that is not acknowledged is read again. */
  async forgetPosition(): Promise<void> {
    this.#readPosition = null;
    this.#isRereading = true;
    this.#position.forgetPosition();
    await this.save();
  }

  /** What is known of a message that a request brings. */
  known(message: InboundMessage): Known {
    const key = messageKey(message);
    const byRow = this.#tasks.get(message.id) ?? '';
    const ended = this.#ended.get(key) ?? this.#ended.get(byRow);
    const record = this.#open.get(key) ?? this.#open.get(byRow);
    if (record !== undefined && ended === undefined) return { kind: 'open', record };
    const isEnded = ended !== undefined || this.#finished.has(message.id) || this.#finished.has(key);
    return isEnded ? { kind: 'ended', ended } : { kind: 'new' };
  }

  /** What the caller of a request sent under this id; the platform names rows, and may ask for each. */
  sentBy({ use, subject }: InboundCaller, taskId: string): Exclude<Known, { kind: 'new' }> | null {
    const key = this.#tasks.get(use === 'push' ? taskId : ownKey(use, subject, taskId)) ?? '';
    const record = this.#open.get(key);
    if (record !== undefined) return { kind: 'open', record };
    const ended = this.#ended.get(key);
    return ended === undefined ? null : { kind: 'ended', ended };
  }

  /** Adds a new message that a request has brought. */
  add(arrival: Arrival): OpenMessage {
    const isStored = this.#write({ arrived: storedArrival(arrival) }, true);
    const record = this.#begin(arrival, isStored);
    void isStored.then((stored) => (stored ? undefined : this.#forget(record)));
    return record;
  }

  /** The answer to a message waits until its recipient has room for it. False when too many wait. */
  answerWaits({ message }: OpenMessage): boolean {
    const mayWait = this.room.setWaiting(message.id);
    if (mayWait) this.#options.onFinished();
    return mayWait;
  }

  /** Ignored for a finished message. */
  async change(record: OpenMessage, change: Change): Promise<boolean> {
    record.progress = withChange(record.progress, change);
    if (this.#open.get(record.key) !== record) return false;
    return this.#write({ row: record.message.id, progress: change });
  }

  /** Keeps how a message ended, for its repeats. After a crash the message counts as finished: its end must have been sent, or have a request that waits. */
  keepEnd({ key, message, via, digest }: OpenMessage, end: MessageEnd): Promise<boolean> {
    const { id: row, messageId, contextId, sourceId } = message;
    const ended = { key, row, messageId, contextId, via, sourceId, digest, end } as EndedMessage;
    this.#keep(ended);
    return this.#write({ ended });
  }

  /**
   * Finishes the message and its copies.
   * @param outcome How it ended, for the platform; `null` when it was answered, or the platform ended it.
   * @param isReported Whether the platform learns the end of the message itself in another way.
   */
  finish(record: OpenMessage, outcome: Outcome | null, isReported = false): Promise<boolean> {
    const { key, message, rows } = record;
    const isFirst = this.#open.get(key) === record;
    // At most once, a message is finished before it is handled, and ends later.
    const reported = (isFirst ? rows : [message.id]).filter((row) => !isReported || this.#position.has(row));
    const outcomes = this.#withOutcomes(reported, outcome);
    if (!isFirst) {
      if (outcomes === undefined) return this.save();
      const stored = this.#write(outcomes);
      this.#options.onFinished();
      return stored;
    }
    const finished = rows.filter((row) => this.#position.finish(row));
    const keys = [...new Set([...rows, key])];
    for (const each of keys) this.#finished.add(each);
    this.#close(record);
    const line = { ...outcomes, finished: { rows: finished, keys } };
    // A kept end says the same.
    const isKept = outcomes === undefined && finished.length === 0 && this.#ended.has(key);
    const stored = this.#write(isKept ? undefined : line);
    this.#options.onFinished();
    return stored;
  }

  /** The platform has these outcomes, or will never take them. One that was replaced meanwhile stays. */
  outcomesReported(outcomes: readonly ReportedOutcome[]): void {
    const reported = outcomes.filter((outcome) => this.#outcomes.get(outcome.activityId) === outcome);
    for (const { activityId } of reported) this.#outcomes.delete(activityId);
    void this.#write({ reported: reported.map(({ activityId }) => activityId) });
    this.#options.onFinished();
  }

  /** Oldest first. */
  get deadLetters(): readonly StoredDeadLetter[] {
    return [...this.#letters.values()];
  }

  deadLetter(activityId: string): StoredDeadLetter | undefined {
    return this.#letters.get(activityId);
  }

  /** Adds a dead letter, or replaces that of the same message. */
  addDeadLetter(letter: StoredDeadLetter): Promise<boolean> {
    const dropped = this.#letters.set(letter.activityId, letter).length;
    if (dropped > 0) {
      this.#options.logger.warn({ dropped }, 'There are too many dead letters: the oldest were dropped.');
    }
    return this.#write({ letter });
  }

  removeDeadLetter(activityId: string): Promise<boolean> {
    this.#letters.delete(activityId);
    return this.#write({ discarded: activityId });
  }

  /** Resolves when the current state was stored, or could not be. */
  save(): Promise<boolean> {
    return this.#write();
  }

  /** Like {@link save}; also removes the texts of finished messages from the store. */
  compact(): Promise<boolean> {
    return this.#log.compact();
  }

  /** Ignores all later writes. */
  close(): void {
    this.#log.close();
  }

  #begin(arrival: Arrival, isStored = STORED): OpenMessage {
    const { message } = arrival;
    // An earlier run may have read it from the feed.
    const progress = this.#earlierOf(message.id);
    const record = { ...arrival, key: messageKey(message), rows: [message.id], progress, isStored };
    this.#open.set(record.key, record);
    this.room.add(arrival);
    for (const task of tasksOf({ ...arrival, ...message, row: message.id }))
      this.#tasks.set(task, record.key);
    return record;
  }

  /** Takes the progress that an earlier run made with a row. */
  #earlierOf(row: string): Progress {
    const progress = this.#earlier.get(row) ?? NO_PROGRESS;
    this.#earlier.delete(row);
    return progress;
  }

  /** The message counts as never brought. */
  #forget(record: OpenMessage): void {
    if (this.#open.get(record.key) === record) this.#close(record);
    this.#dropTasks(record.message.id, record);
  }

  /** It is no longer in progress. Whoever sent it finds its end, if that is kept. */
  #close(record: OpenMessage): void {
    const { key, message, via } = record;
    this.#open.delete(key);
    if (via === 'feed') return;
    this.room.remove(message.id);
    if (!this.#ended.has(key)) this.#dropTasks(message.id, record);
  }

  #dropTasks(row: string, { key, via, message }: OpenMessage): void {
    for (const task of tasksOf({ via, row, messageId: message.messageId, sourceId: message.sourceId })) {
      if (this.#tasks.get(task) === key) this.#tasks.delete(task);
    }
  }

  #keep(ended: EndedMessage): void {
    for (const dropped of this.#ended.set(ended.key, ended)) {
      for (const task of tasksOf(dropped)) {
        if (this.#tasks.get(task) === dropped.key && !this.#open.has(dropped.key)) this.#tasks.delete(task);
      }
    }
    for (const task of tasksOf(ended)) this.#tasks.set(task, ended.key);
  }

  #withOutcomes(rows: readonly string[], outcome: Outcome | null): Pick<LedgerLine, 'outcomes'> | undefined {
    if (outcome === null || rows.length === 0 || !this.#options.takesOutcomes()) return undefined;
    const outcomes = rows.map((activityId) => ({ activityId, ...outcome }));
    for (const each of outcomes) this.#report(each);
    return { outcomes };
  }

  /** The latest of a row is reported. */
  #report(outcome: ReportedOutcome): void {
    this.#outcomes.delete(outcome.activityId);
    this.#outcomes.set(outcome.activityId, outcome);
  }

  #write(line?: LedgerLine, waitsForMore = false): Promise<boolean> {
    const { acknowledged } = this.#position;
    if (acknowledged === this.#recordedPosition) return this.#log.write(line, waitsForMore);
    this.#recordedPosition = acknowledged;
    return this.#log.write({ ...line, ...this.#positionLine() }, waitsForMore);
  }

  #positionLine(): LedgerLine {
    const ahead = [...this.#finishedAhead, ...this.#position.finishedAhead()].slice(-MAX_ROWS);
    return { acknowledged: this.#position.acknowledged, ahead };
  }

  /** Applies a line of an earlier run. */
  #apply(line: LedgerLine): void {
    const { acknowledged, ahead, finished, arrived, row, progress, ended, outcomes, reported } = line;
    const arrival = arrived === undefined ? null : arrivalOf(arrived);
    if (arrival !== null) this.#begin(arrival);
    if (row !== undefined && progress !== undefined) this.#applyProgress(row, progress);
    for (const outcome of outcomes ?? []) this.#report(outcome);
    for (const each of reported ?? []) this.#outcomes.delete(each);
    if (ended !== undefined) this.#keep(ended);
    if (line.letter !== undefined) this.#letters.set(line.letter.activityId, line.letter);
    if (line.discarded !== undefined) this.#letters.delete(line.discarded);
    for (const each of finished?.rows ?? []) this.#finishedAhead.add(each);
    for (const key of finished?.keys ?? (ended === undefined ? [] : [ended.row, ended.key])) {
      this.#finished.add(key);
      this.#earlier.delete(key);
      const record = this.#open.get(key);
      if (record !== undefined) this.#close(record);
    }
    if (acknowledged === undefined) return;
    this.#position = new OffsetTracker(acknowledged);
    this.#finishedAhead.clear();
    for (const each of ahead ?? []) this.#finishedAhead.add(each);
  }

  #applyProgress(row: string, change: Change): void {
    const record = this.#open.get(this.#tasks.get(row) ?? '');
    if (record === undefined) {
      this.#earlier.set(row, withChange(this.#earlier.get(row) ?? NO_PROGRESS, change));
      return;
    }
    record.progress = withChange(record.progress, change);
    if (change.refusedSince !== undefined) this.room.setWaiting(row);
  }

  /** The shortest log of the current state. */
  #snapshot(): LedgerLine[] {
    const open = [...this.#open.values()];
    const progress = new Map(this.#earlier);
    for (const record of open) {
      if (record.progress !== NO_PROGRESS) progress.set(record.message.id, record.progress);
    }
    return [
      { ...this.#positionLine(), finished: { rows: [], keys: this.#finished.all } },
      ...open.filter(({ via }) => via !== 'feed').map((record) => ({ arrived: storedArrival(record) })),
      ...[...progress].slice(-MAX_ROWS).map(([row, each]) => ({ row, progress: each })),
      ...this.deadLetters.map((letter) => ({ letter })),
      { outcomes: [...this.#outcomes.values()] },
      ...[...this.#ended.values()].map((ended) => ({ ended })),
    ];
  }
}

/** The values that were set last: as many as {@link MAX_KEPT} and {@link MAX_CHARACTERS} allow, and one at least. */
class Sized<Value> {
  readonly #entries = new LatestMap<{ readonly value: Value; readonly size: number }>(
    Number.POSITIVE_INFINITY,
  );
  #size = 0;

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  *values(): Generator<Value> {
    for (const { value } of this.#entries.values()) yield value;
  }

  /** Returns what had to go. */
  set(key: string, value: Value): Value[] {
    this.delete(key);
    const size = JSON.stringify(value).length;
    this.#entries.set(key, { value, size });
    this.#size += size;
    const dropped: Value[] = [];
    while (this.#entries.size > 1 && (this.#entries.size > MAX_KEPT || this.#size > MAX_CHARACTERS)) {
      const oldest = this.#entries.deleteOldest();
      if (oldest === undefined) break;
      this.#size -= oldest.size;
      dropped.push(oldest.value);
    }
    return dropped;
  }

  delete(key: string): void {
    this.#size -= this.#entries.get(key)?.size ?? 0;
    this.#entries.delete(key);
  }
}

/** The ids under which the sender of a message asks for it: the id of its row, and its own id of it. */
function tasksOf({
  via,
  sourceId,
  row,
  messageId,
}: Pick<EndedMessage, 'sourceId' | 'row' | 'messageId'> & { readonly via: string }): string[] {
  return via === 'push' ? [row] : [ownKey(via, sourceId, messageId), row];
}

function ownKey(via: string, sender: string, messageId: string): string {
  return JSON.stringify([via, sender.toLowerCase(), messageId]);
}

/** A message is asked for its key more than once. */
const keys = new WeakMap<InboundMessage, string>();
const senders = new LatestMap<string>(1_000);

/**
 * Two rows are the same message if sender and the sender's message id are equal, whatever else they say. A row without
 * message id is a message of its own. A cancellation can have the id of the message it cancels.
 */
export function messageKey(message: InboundMessage): string {
  if (message.messageId === '') return message.id;
  const known = keys.get(message);
  if (known !== undefined) return known;
  const { messageId, method, source, sourceId } = message;
  const identity = [source, sourceId, method === 'cancel_task', messageId];
  const sender = `${source} ${sourceId}`;
  const senderHash = senders.get(sender) ?? hashOf([source, sourceId]);
  senders.set(sender, senderHash);
  const key = keyOf(senderHash, hashOf(identity).slice(0, 22));
  keys.set(message, key);
  return key;
}

function hashOf(parts: readonly unknown[]): string {
  return crypto.hash('sha256', JSON.stringify(parts), 'base64url');
}
