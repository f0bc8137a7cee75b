import { JsonValue } from '@molecule-ai/protocol';
import { z } from 'zod';
import type { InboundStore } from './inbound-store.ts';

const MAX_DEAD_LETTERS = 1_000;
/** Limit for rows that may never be delivered again. */
const MAX_ROWS = 2_000;
const BARE_ID = /^[\w.:-]{1,200}$/;

const MessageProgress = z.object({
  /** Number of handler attempts started, including those that ended with a crash. */
  attempts: z.int().min(0),
  /** Set when the handler has finished, with the answer to send or `null` for none. It does not run again. */
  outcome: z.object({ reply: z.string().nullable() }).nullable(),
  /** Number of answers sent by `context.reply`. */
  repliesSent: z.int().min(0),
  /** Results of `context.once`, by key. */
  effects: z.record(z.string(), JsonValue),
});

/** The progress of one unfinished message. */
export type MessageProgress = Readonly<z.output<typeof MessageProgress>>;

const ProgressChange = MessageProgress.partial();

const DeadLetter = z.object({
  activityId: z.string(),
  messageId: z.string(),
  sourceId: z.string(),
  stage: z.enum(['handler', 'reply']),
  attempts: z.int().min(0),
  errorCode: z.string(),
  /** RFC 3339. */
  at: z.string(),
});

/** A message whose attempts all failed: ids and an error code, without its text. */
export type DeadLetter = Readonly<z.output<typeof DeadLetter>>;

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
  z.object({ type: z.literal('dead-letter'), letter: DeadLetter }),
]);

/** One change of the state; one line of the log. */
export type InboundRecord = z.output<typeof InboundRecord>;

export const NO_PROGRESS: MessageProgress = Object.freeze({
  attempts: 0,
  outcome: null,
  repliesSent: 0,
  effects: {},
});

export type ProgressChange = Readonly<z.output<typeof ProgressChange>>;

/** Effects are added by key, everything else is replaced. */
export function mergeProgress(progress: MessageProgress, change: ProgressChange): MessageProgress {
  return {
    attempts: change.attempts ?? progress.attempts,
    outcome: change.outcome ?? progress.outcome,
    repliesSent: change.repliesSent ?? progress.repliesSent,
    effects: { ...progress.effects, ...change.effects },
  };
}

export interface RecordedState {
  acknowledged: string | null;
  readonly finishedAhead: Set<string>;
  /** Keys of recently finished messages, oldest first. */
  readonly finishedKeys: Set<string>;
  /** By row. */
  readonly progress: Map<string, MessageProgress>;
  readonly deadLetters: DeadLetter[];
  /** Number of invalid lines, except the last one, which a crash can truncate. */
  unreadable: number;
}

/** Replays a log. A log that consists of one id is a cursor file: the id is the position. */
export function replayRecords(lines: readonly string[]): RecordedState {
  const state: RecordedState = {
    acknowledged: null,
    finishedAhead: new Set(),
    finishedKeys: new Set(),
    progress: new Map(),
    deadLetters: [],
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

/** Returns the shortest log that replays to `state`. */
export function snapshotRecords(state: Omit<RecordedState, 'unreadable'>): InboundRecord[] {
  const { acknowledged, finishedAhead, finishedKeys, progress, deadLetters } = state;
  return [
    positionRecord(acknowledged, finishedAhead),
    { type: 'finished', rows: [], keys: [...finishedKeys] },
    ...[...progress]
      .slice(-MAX_ROWS)
      .map(([row, change]): InboundRecord => ({ type: 'progress', row, change })),
    ...deadLetters.map((letter): InboundRecord => ({ type: 'dead-letter', letter })),
  ];
}

export function positionRecord(acknowledged: string | null, finishedAhead: Iterable<string>): InboundRecord {
  return { type: 'position', acknowledged, finishedAhead: [...finishedAhead].slice(-MAX_ROWS) };
}

/** Keeps the latest thousand. */
export function addDeadLetter(letters: DeadLetter[], letter: DeadLetter): void {
  letters.push(letter);
  if (letters.length > MAX_DEAD_LETTERS) letters.shift();
}

/**
 * Returns the dead letters of an agent, oldest first, at most the latest thousand. Works while the agent is running.
 * @throws the errors of `store.load()`.
 */
export async function listDeadLetters(store: Pick<InboundStore, 'load'>): Promise<readonly DeadLetter[]> {
  return replayRecords(await store.load()).deadLetters;
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
      }
      break;
    case 'progress': {
      const before = state.progress.get(record.row) ?? NO_PROGRESS;
      state.progress.set(record.row, mergeProgress(before, record.change));
      break;
    }
    case 'dead-letter':
      addDeadLetter(state.deadLetters, record.letter);
  }
}
