import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundPage } from '../client/inbound-page.ts';
import type { UnreadRow } from '../errors/api-error.ts';
import type { InboundCaller, MessageEnd } from '../inbound-http/inbound-agent.ts';
import { ReleasingMap } from '../storage/releasing-map.ts';
import { ArrivalRoom, type Place } from './arrival-room.ts';
import { FinishedKeys, LatestValues, messageKey } from './finished-messages.ts';
import type { InboundOptions } from './inbound-options.ts';
import { LedgerLog, loadLines } from './inbound-store.ts';
import {
  type Arrival,
  arrivalOf,
  type EndedMessage,
  type LedgerLine,
  type ReportedOutcome,
  type StoredDeadLetter,
  storedArrival,
} from './ledger-lines.ts';
import {
  type Change,
  type MessageRecord,
  NO_PROGRESS,
  type Outcome,
  type Progress,
  type StoredAnswer,
  withChange,
} from './life.ts';
import type { AnswerStream } from './streams/answer-stream.ts';
import { WaitingRequests } from './waiting-requests.ts';

/** Limit for rows that may never be delivered again. */
const MAX_ROWS = 2_000;

type LedgerOptions = Pick<InboundOptions, 'store' | 'logger' | 'clock'> & {
  readonly client: Pick<InboundOptions['client'], 'capabilities'>;
  readonly observer: Pick<InboundOptions['observer'], 'degraded' | 'recovered'>;
};

/** The record of a message that is not finished. */
export interface OpenMessage extends MessageRecord {
  readonly key: string;
  /** The row under which it is handled, and those of its copies. */
  readonly rows: string[];
  /** Of a row of the feed whose message a request had brought: how that ended, which the platform does not know. */
  readonly ended?: MessageEnd;
  /** The requests that wait for its end. */
  readonly waiting: WaitingRequests;
  /** Its answer while the handler makes it, see `AnswerStreams.of`. */
  stream?: AnswerStream;
  /** What it takes of the room; missing for a message of the feed. */
  place?: Place;
  /** See {@link Ledger.stored}. */
  isStored?: true | Promise<boolean>;
  progress: Progress;
}

/** What is known of a message that a request brings. */
export type Known =
  | { readonly kind: 'new'; readonly key: string }
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
  /** The feed is read after this row; `null` reads everything that is not acknowledged. */
  readPosition: string | null = null;
  /** Outcomes that the platform does not have yet, by row, oldest first. */
  readonly outcomes = new Map<string, ReportedOutcome>();
  /** By row, oldest first. */
  readonly deadLetters = new LatestValues<StoredDeadLetter>();
  readonly #options: LedgerOptions;
  readonly #onFinished: () => void;
  readonly #log: LedgerLog;
  readonly #open = new ReleasingMap<OpenMessage>();
  /** The keys of messages that requests brought, by their rows. */
  readonly #keys = new Map<string, string>();
  /** The progress that an earlier run made with rows that were not read again yet. */
  readonly #earlier = new Map<string, Progress>();
  readonly #finished = new FinishedKeys();
  /** Rows that an earlier run finished before an older unfinished row; they are read again. */
  readonly #finishedAhead = new Set<string>();
  readonly #ended = new LatestValues<EndedMessage>();
  #position = new OffsetTracker();
  #recordedPosition: string | null = null;
  /** Until the end of the feed is reached, rows can be older than those that are known. */
  #isRereading = true;

  /** @param onFinished A message was finished, or its outcome reported: the position may have moved, and there may be capacity for more. */
  constructor(options: LedgerOptions, onFinished: () => void) {
    this.#options = options;
    this.#onFinished = onFinished;
    this.#log = new LedgerLog(options, () => this.#snapshot());
  }

  /**
   * Loads the log. Call once, before anything else.
   * @returns the messages that requests have brought to an earlier run, which has not finished them
   */
  async load(): Promise<readonly OpenMessage[]> {
    const { store, logger } = this.#options;
    for (const line of await loadLines(store, logger)) this.#apply(line);
    this.readPosition = this.#position.acknowledged;
    this.#recordedPosition = this.readPosition;
    return this.#open.values();
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
    return Math.min(free, mostRows - this.#position.size, mostRows - this.outcomes.size);
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
   * Adds a message of the feed. Returns its record, and nothing for a copy: it was read or brought by a request before. A copy of one of which the
   * platform does not know how it `ended` has a record as well.
   * @param seq The position in the feed, `null` if unknown; missing for a message from another source.
   */
  read(message: InboundMessage, seq?: number | null): OpenMessage | null {
    const { id } = message;
    const ofFeed = { message, via: 'feed', digest: '' } as const;
    if (this.#position.has(id)) return null;
    const isFinishedAhead = this.#finishedAhead.delete(id);
    const key = messageKey(message);
    const ended = isFinishedAhead || seq === undefined ? undefined : this.#ended.get(key);
    if (ended !== undefined && seq !== undefined && (ended.row === id || !this.#finished.has(id))) {
      this.#position.add(id, seq, false);
      const record = this.#begin(id, ofFeed, { ended: ended.end, isStored: true });
      const { messageId: _, ...answer } = ended.end.answer ?? { messageId: '', text: '' };
      record.progress = withChange(record.progress, { answer: answer as StoredAnswer });
      return record;
    }
    if (!isFinishedAhead && this.#finished.has(id)) return null;
    const isFinished = isFinishedAhead || this.#finished.has(key) || this.#wasAnswered(message, key);
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
    return this.#begin(key, ofFeed, { isStored: true });
  }

  /** Whether a row of the feed has an answer of which nothing is known: the agent had sent it before its state was lost. */
  #wasAnswered({ id, raw }: InboundMessage, key: string): boolean {
    const isAnswered = raw.state === 'answered' || raw.delivery_state === 'answered';
    return isAnswered && !this.#earlier.has(id) && this.#open.get(key) === undefined;
  }

  /** Call after the messages of a page were read. Moves the read position past its last row, message or not. */
  endPage({ lastRowId, hasMore }: Pick<InboundPage, 'lastRowId' | 'hasMore'>): void {
    // While rows are read again, the last row of a page can be older than an unfinished one.
    const isOld = this.#isRereading && hasMore && this.#position.size > 0;
    if (!hasMore) this.#isRereading = false;
    if (lastRowId === null) return;
    this.readPosition = lastRowId;
    const isKnown = lastRowId === this.#position.acknowledged || this.#position.has(lastRowId);
    if (!isKnown && !isOld) this.#position.add(lastRowId, null, true);
    void this.save();
  }

  /** Finishes a row that was not read, and moves the read position past it. */
  setAside(row: UnreadRow, letter: StoredDeadLetter, outcome: Outcome): Promise<boolean> {
    this.readPosition = row.id;
    void this.addDeadLetter(letter);
    if (this.#position.has(row.id)) return this.save();
    // Without a number it may be older than the rows that are being handled, which must not be acknowledged for it.
    if (row.seq !== null || !this.#isRereading || this.#position.size === 0) {
      this.#position.add(row.id, row.seq, true);
    }
    const outcomes = this.#withOutcomes([row.id], outcome);
    const stored = this.#write({ ...outcomes, finished: { rows: [row.id], keys: [] } });
    this.#onFinished();
    return stored;
  }

  /** The platform no longer knows the position: everything that is not acknowledged is read again. */
  async forgetPosition(): Promise<void> {
    this.readPosition = null;
    this.#isRereading = true;
    this.#position.forgetPosition();
    await this.save();
  }

  /** What is known of a message that a request brings. */
  known(message: InboundMessage): Known {
    const key = messageKey(message);
    const byRow = this.#keys.get(message.id) ?? key;
    const ended = this.#ended.get(key) ?? (byRow === key ? undefined : this.#ended.get(byRow));
    if (ended !== undefined) return { kind: 'ended', ended };
    const record = this.#open.get(key) ?? (byRow === key ? undefined : this.#open.get(byRow));
    if (record !== undefined) return { kind: 'open', record };
    const isEnded = this.#finished.has(message.id) || this.#finished.has(key);
    return isEnded ? { kind: 'ended', ended } : { kind: 'new', key };
  }

  /** What the caller of a request sent under this id; the platform names rows, and may ask for each. */
  sentBy({ use, subject }: InboundCaller, taskId: string): Exclude<Known, { kind: 'new' }> | null {
    const source = use === 'direct' ? 'peer_agent' : 'unknown';
    const sent = { id: '', messageId: taskId, method: '', source, sourceId: subject.toLowerCase() } as const;
    const key = (use === 'push' ? this.#keys.get(taskId) : messageKey(sent)) ?? '';
    const isSent = ({ via }: Pick<MessageRecord, 'via'>) => use === 'push' || via === use;
    const record = this.#open.get(key);
    if (record !== undefined) return isSent(record) ? { kind: 'open', record } : null;
    const ended = this.#ended.get(key);
    return ended !== undefined && isSent(ended) ? { kind: 'ended', ended } : null;
  }

  /** Adds a new message that a request has brought. */
  add(arrival: Arrival, key = messageKey(arrival.message)): OpenMessage {
    return this.#beginArrival(key, arrival, this.#add({ arrived: storedArrival(arrival) }));
  }

  /**
   * Whether a message that a request has brought survives the end of the process; false when it cannot be stored, and counts as never brought. Ask
   * when its first attempt was added, which is stored with it.
   */
  stored(record: OpenMessage): true | Promise<boolean> {
    record.isStored ??= this.#store(record);
    return record.isStored;
  }

  async #store(record: OpenMessage): Promise<boolean> {
    const written = this.#log.written();
    // What arrives together, and answers that are made at once, share the flush.
    void this.#log.flush(true);
    const isStored = await written;
    if (!isStored) this.#forget(record);
    return isStored;
  }

  /** The answer to a message waits until its recipient has room for it. False when too many wait. */
  answerWaits({ place }: OpenMessage): boolean {
    const mayWait = this.room.setWaiting(place);
    if (mayWait) this.#onFinished();
    return mayWait;
  }

  /** Ignored for a finished message. */
  async change(record: OpenMessage, change: Change): Promise<boolean> {
    record.progress = withChange(record.progress, change);
    if (this.#open.get(record.key) !== record) return false;
    this.#add({ row: record.message.id, progress: change });
    // A count of attempts must survive the process, in case that a handler ends it, and need not survive the machine.
    const isCount = change.attempts !== undefined && Object.keys(change).length === 1;
    return isCount ? this.#log.written() : this.#log.flush();
  }

  /** Keeps how a message ended, for its repeats. After a crash the message counts as finished: its end must have been sent, or have a request that waits. */
  keepEnd({ key, message, via, digest }: OpenMessage, end: MessageEnd): Promise<boolean> {
    const { id: row, messageId, contextId, sourceId } = message;
    const ended = { key, row, messageId, contextId, via, sourceId, digest, end } as EndedMessage;
    this.#keep(ended, this.#add({ ended }));
    return this.#log.flush();
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
      this.#onFinished();
      return stored;
    }
    const finished = rows.filter((row) => this.#position.finish(row));
    const keys = rows.includes(key) ? rows : [...rows, key];
    for (const each of keys) this.#finished.add(each);
    this.#close(record);
    const line = { ...outcomes, finished: { rows: finished, keys } };
    // A kept end says the same.
    const isKept = outcomes === undefined && finished.length === 0 && this.#ended.has(key);
    const stored = isKept ? this.save() : this.#write(line);
    this.#onFinished();
    return stored;
  }

  /** The platform has these outcomes, or will never take them. One that was replaced meanwhile stays. */
  outcomesReported(outcomes: readonly ReportedOutcome[]): void {
    const reported = outcomes.filter((outcome) => this.outcomes.get(outcome.activityId) === outcome);
    for (const { activityId } of reported) this.outcomes.delete(activityId);
    void this.#write({ reported: reported.map(({ activityId }) => activityId) });
    this.#onFinished();
  }

  /** Adds a dead letter, or replaces that of the same message. */
  addDeadLetter(letter: StoredDeadLetter): Promise<boolean> {
    const dropped = this.deadLetters.set(letter.activityId, letter, this.#add({ letter })).length;
    if (dropped > 0) {
      this.#options.logger.warn({ dropped }, 'There are too many dead letters: the oldest were dropped.');
    }
    return this.#log.flush();
  }

  removeDeadLetter(activityId: string): Promise<boolean> {
    this.deadLetters.delete(activityId);
    return this.#write({ discarded: activityId });
  }

  /** Resolves when the current state was stored, or could not be. */
  save(): Promise<boolean> {
    if (this.#position.acknowledged !== this.#recordedPosition) this.#add({});
    return this.#log.flush();
  }

  /** Like {@link save}; also removes the texts of finished messages from the store. */
  compact(): Promise<boolean> {
    return this.#log.compact();
  }

  /** Ignores all later writes. */
  close(): void {
    this.#log.close();
  }

  #begin(
    key: string,
    { message, via, digest }: Pick<MessageRecord, 'message' | 'via' | 'digest'>,
    more: Pick<OpenMessage, 'ended' | 'place' | 'isStored'>,
  ): OpenMessage {
    const { id } = message;
    // An earlier run may have read it from the feed.
    const progress = this.#earlier.get(id) ?? NO_PROGRESS;
    this.#earlier.delete(id);
    const waiting = new WaitingRequests(this.#options.clock);
    const record: OpenMessage = { key, message, via, digest, rows: [id], progress, waiting, ...more };
    this.#open.set(key, record);
    return record;
  }

  /** @param bytes of the message; about, because a character takes up to three */
  #beginArrival(key: string, arrival: Arrival, bytes: number): OpenMessage {
    this.#keys.set(arrival.message.id, key);
    return this.#begin(key, arrival, { place: this.room.add(arrival, bytes) });
  }

  /** The message counts as never brought. */
  #forget(record: OpenMessage): void {
    if (this.#open.get(record.key) === record) this.#close(record);
    this.#dropRow(record.message.id, record.key);
  }

  /** It is no longer in progress. Whoever sent it finds its end, if that is kept. */
  #close({ key, message, place }: OpenMessage): void {
    this.#open.delete(key);
    if (place === undefined) return;
    this.room.remove(place);
    if (!this.#ended.has(key)) this.#dropRow(message.id, key);
  }

  #dropRow(row: string, key: string): void {
    if (this.#keys.get(row) === key) this.#keys.delete(row);
  }

  /** @param length as JSON */
  #keep(ended: EndedMessage, length: number): void {
    for (const { row, key } of this.#ended.set(ended.key, ended, length)) {
      if (this.#open.get(key) === undefined) this.#dropRow(row, key);
    }
    this.#keys.set(ended.row, ended.key);
  }

  #withOutcomes(rows: readonly string[], outcome: Outcome | null): Pick<LedgerLine, 'outcomes'> | undefined {
    const { capabilities } = this.#options.client;
    if (outcome === null || rows.length === 0 || !capabilities.has('outcomes')) return undefined;
    const outcomes = rows.map((activityId) => ({ activityId, ...outcome }));
    for (const each of outcomes) this.#report(each);
    return { outcomes };
  }

  /** The latest of a row is reported. */
  #report(outcome: ReportedOutcome): void {
    this.outcomes.delete(outcome.activityId);
    this.outcomes.set(outcome.activityId, outcome);
  }

  #write(line: LedgerLine): Promise<boolean> {
    this.#add(line);
    return this.#log.flush();
  }

  /** Adds a line, with the position if that has moved; returns its length. */
  #add(line: LedgerLine): number {
    const { acknowledged } = this.#position;
    if (acknowledged === this.#recordedPosition) return this.#log.add(line);
    this.#recordedPosition = acknowledged;
    return this.#log.add({ ...line, ...this.#positionLine() });
  }

  #positionLine(): LedgerLine {
    const ahead = [...this.#finishedAhead, ...this.#position.finishedAhead()].slice(-MAX_ROWS);
    return { acknowledged: this.#position.acknowledged, ahead };
  }

  /** Applies a line of an earlier run. */
  #apply(line: LedgerLine): void {
    const { acknowledged, ahead, finished, arrived, row, progress, ended, outcomes, reported } = line;
    const arrival = arrived === undefined ? null : arrivalOf(arrived);
    if (arrival !== null) {
      const bytes = JSON.stringify(arrival.message.raw).length;
      this.#beginArrival(messageKey(arrival.message), arrival, bytes).isStored = true;
    }
    if (row !== undefined && progress !== undefined) this.#applyProgress(row, progress);
    for (const outcome of outcomes ?? []) this.#report(outcome);
    for (const each of reported ?? []) this.outcomes.delete(each);
    if (ended !== undefined) this.#keep(ended, JSON.stringify(ended).length);
    const { letter } = line;
    if (letter !== undefined) this.deadLetters.set(letter.activityId, letter, JSON.stringify(letter).length);
    if (line.discarded !== undefined) this.deadLetters.delete(line.discarded);
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
    const record = this.#open.get(this.#keys.get(row) ?? '');
    if (record === undefined) {
      this.#earlier.set(row, withChange(this.#earlier.get(row) ?? NO_PROGRESS, change));
      return;
    }
    record.progress = withChange(record.progress, change);
    if (change.refusedSince !== undefined) this.room.setWaiting(record.place);
  }

  /** The shortest log of the current state. */
  #snapshot(): LedgerLine[] {
    const open = this.#open.values();
    const progress = new Map(this.#earlier);
    for (const record of open) {
      if (record.progress !== NO_PROGRESS) progress.set(record.message.id, record.progress);
    }
    return [
      { ...this.#positionLine(), finished: { rows: [], keys: this.#finished.all } },
      ...open.filter(({ via }) => via !== 'feed').map((record) => ({ arrived: storedArrival(record) })),
      ...[...progress].slice(-MAX_ROWS).map(([row, each]) => ({ row, progress: each })),
      ...[...this.deadLetters.values()].map((letter) => ({ letter })),
      { outcomes: [...this.outcomes.values()] },
      ...[...this.#ended.values()].map((ended) => ({ ended })),
    ];
  }
}

interface TrackedRow {
  readonly id: string;
  readonly seq: number | null;
  isFinished: boolean;
}

/**
 * Tracks which rows of the feed were read, in feed order, and which are finished. The acknowledged position is the end of
 * the finished prefix, so it never covers an unfinished row, in whatever order rows finish. No I/O.
 */
class OffsetTracker {
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

  /** Inserts a new row by `seq`, or at the end if there is none. */
  add(id: string, seq: number | null, isFinished: boolean): void {
    const row = { id, seq, isFinished };
    this.#rows.splice(this.#indexFor(seq), 0, row);
    this.#byId.set(id, row);
    if (isFinished) this.#advance();
    else this.unfinished += 1;
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
