import { OUTCOMES } from '@molecule-ai/protocol';
import { z } from 'zod';
import { LazyMap } from '../../collections/lazy-map.ts';
import { LazySet } from '../../collections/lazy-set.ts';
import type { Logger } from '../../logging/logger.ts';
import { Arrival, KeptEnd, storedArrival } from '../arrivals/arrival.ts';
import { ArrivalLog } from '../arrivals/arrival-log.ts';
import { type DeadLetter, DeadLetterList, publicDeadLetter, StoredDeadLetter } from './dead-letters.ts';
import type { InboundStore } from './inbound-store.ts';
import { type MessageProgress, mergeProgress, NO_PROGRESS, ProgressChange } from './message-progress.ts';

/** Limit for rows that may never be delivered again. */
const MAX_ROWS = 2_000;
const BARE_ID = /^[\w.:-]{1,200}$/;

const ReportedOutcome = z.object({
  activityId: z.string(),
  outcome: z.enum(OUTCOMES),
  error: z.object({ message: z.string(), code: z.string().optional() }).optional(),
});

/** How the handling of one message ended, for the platform. `error` is what the sender receives. */
export type ReportedOutcome = Readonly<z.output<typeof ReportedOutcome>>;

const InboundRecord = z.discriminatedUnion('type', [
  /** Everything up to `acknowledged` is finished; `finishedAhead` are later rows that are finished as well. */
  z.object({
    type: z.literal('position'),
    acknowledged: z.string().nullable(),
    finishedAhead: z.array(z.string()),
  }),
  /** A message and its copies are finished: their rows, and the keys that identify later copies. */
  z.object({ type: z.literal('finished'), rows: z.array(z.string()), keys: z.array(z.string()) }),
  z.object({ type: z.literal('progress'), row: z.string(), change: ProgressChange }),
  z.object({ type: z.literal('dead-letter'), letter: StoredDeadLetter }),
  z.object({ type: z.literal('dead-letter-removed'), row: z.string() }),
  /** Has to be reported to the platform; a later one for the same row replaces it. */
  z.object({ type: z.literal('outcome'), outcome: ReportedOutcome }),
  z.object({ type: z.literal('outcomes-reported'), rows: z.array(z.string()) }),
  /** A message that a request brought; finished like a row, by its id. */
  z.object({ type: z.literal('arrived'), arrival: Arrival }),
  z.object({ type: z.literal('kept-end'), kept: KeptEnd }),
]);

/** One change of the state; one line of the log. */
export type InboundRecord = z.output<typeof InboundRecord>;

export interface RecordedState {
  acknowledged: string | null;
  readonly finishedAhead: LazySet<string>;
  /** Keys of recently finished messages, oldest first. */
  readonly finishedKeys: Set<string>;
  /** By row. */
  readonly progress: LazyMap<string, MessageProgress>;
  readonly deadLetters: DeadLetterList;
  /** Not yet reported, by row, oldest first. */
  readonly outcomes: LazyMap<string, ReportedOutcome>;
  readonly arrivals: ArrivalLog;
  /** Number of invalid lines, except the last one, which a crash can truncate. */
  unreadable: number;
}

/** Replays a log. A log that consists of one id is a cursor file: the id is the position. */
export function replayRecords(lines: readonly string[]): RecordedState {
  const state: RecordedState = {
    acknowledged: null,
    finishedAhead: new LazySet(),
    finishedKeys: new Set(),
    progress: new LazyMap(),
    deadLetters: new DeadLetterList(),
    outcomes: new LazyMap(),
    arrivals: new ArrivalLog(),
    unreadable: 0,
  };
  const [first = ''] = lines;
  if (lines.length === 1 && BARE_ID.test(first.trim())) {
    state.acknowledged = first.trim();
    return state;
  }
  for (const [index, line] of lines.entries()) {
    const record = parseRecord(line);
    if (record !== undefined) replay(state, record);
    else if (index === 0 || index < lines.length - 1) state.unreadable += 1;
  }
  return state;
}

/** Loads and replays a log. A store that cannot be read counts as empty. */
export async function loadRecords({
  store,
  logger,
}: {
  readonly store: Pick<InboundStore, 'load'>;
  readonly logger: Logger;
}): Promise<RecordedState> {
  try {
    const stored = replayRecords(await store.load());
    if (stored.unreadable > 0)
      logger.warn({ lines: stored.unreadable }, 'Part of the stored state is unreadable and was ignored.');
    return stored;
  } catch (error) {
    const text = 'The stored state cannot be read: starting with the messages that are not acknowledged.';
    logger.warn({ error }, text);
    return replayRecords([]);
  }
}

/** Returns the shortest log that replays to `state`. */
export function snapshotRecords(state: Omit<RecordedState, 'unreadable'>): InboundRecord[] {
  const { acknowledged, finishedAhead, finishedKeys, progress, deadLetters, outcomes, arrivals } = state;
  return [
    positionRecord(acknowledged, finishedAhead),
    { type: 'finished', rows: [], keys: [...finishedKeys] },
    ...arrivals.pending.map((arrival): InboundRecord => ({ type: 'arrived', arrival })),
    ...[...progress]
      .slice(-MAX_ROWS)
      .map(([row, change]): InboundRecord => ({ type: 'progress', row, change })),
    ...deadLetters.all.map((letter): InboundRecord => ({ type: 'dead-letter', letter })),
    ...[...outcomes.values()].map((outcome): InboundRecord => ({ type: 'outcome', outcome })),
    ...arrivals.ends.map((kept): InboundRecord => ({ type: 'kept-end', kept })),
  ];
}

export function positionRecord(acknowledged: string | null, finishedAhead: Iterable<string>): InboundRecord {
  return { type: 'position', acknowledged, finishedAhead: [...finishedAhead].slice(-MAX_ROWS) };
}

/**
 * Returns the dead letters of an agent, oldest first. Works while the agent is running.
 * @throws the errors of `store.load()`.
 */
export async function listDeadLetters(store: Pick<InboundStore, 'load'>): Promise<readonly DeadLetter[]> {
  return replayRecords(await store.load()).deadLetters.all.map(publicDeadLetter);
}

/** A record as a line of the log. */
export function lineOf(record: InboundRecord): string {
  if (record.type !== 'arrived') return JSON.stringify(record);
  return JSON.stringify({ ...record, arrival: storedArrival(record.arrival) });
}

function parseRecord(line: string): InboundRecord | undefined {
  try {
    return InboundRecord.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

function replay(state: RecordedState, record: InboundRecord): void {
  switch (record.type) {
    case 'position':
      state.acknowledged = record.acknowledged;
      state.finishedAhead.clear();
      for (const row of record.finishedAhead) state.finishedAhead.add(row);
      break;
    case 'finished':
      for (const row of record.rows) state.finishedAhead.add(row);
      for (const key of record.keys) {
        state.finishedKeys.delete(key);
        state.finishedKeys.add(key);
        state.progress.delete(key);
        state.arrivals.finish(key);
      }
      break;
    case 'progress': {
      const before = state.progress.get(record.row) ?? NO_PROGRESS;
      state.progress.set(record.row, mergeProgress(before, record.change));
      if (record.change.refusedSince !== undefined) state.arrivals.room.setWaiting(record.row);
      break;
    }
    case 'dead-letter':
      state.deadLetters.add(record.letter);
      break;
    case 'dead-letter-removed':
      state.deadLetters.remove(record.row);
      break;
    case 'outcome':
      state.outcomes.delete(record.outcome.activityId);
      state.outcomes.set(record.outcome.activityId, record.outcome);
      break;
    case 'outcomes-reported':
      for (const row of record.rows) state.outcomes.delete(row);
      break;
    case 'arrived':
      state.arrivals.add(record.arrival);
      break;
    case 'kept-end':
      state.arrivals.keep(record.kept);
  }
}
