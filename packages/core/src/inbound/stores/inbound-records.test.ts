import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../../test/agent-ids.ts';
import { inboundMessage } from '../../../test/memory-feed.ts';
import { LazyMap } from '../../collections/lazy-map.ts';
import { LazySet } from '../../collections/lazy-set.ts';
import type { Arrival, KeptEnd } from '../arrivals/arrival.ts';
import { ArrivalLog } from '../arrivals/arrival-log.ts';
import { readArrival } from '../arrivals/arrival-message.ts';
import { DeadLetterList, type StoredDeadLetter } from './dead-letters.ts';
import {
  type InboundRecord,
  lineOf,
  listDeadLetters,
  replayRecords,
  snapshotRecords,
} from './inbound-records.ts';
import { MemoryInboundStore } from './inbound-store.ts';
import { NO_PROGRESS } from './message-progress.ts';
import { RecordWriter } from './record-writer.ts';

const position: InboundRecord = { type: 'position', acknowledged: 'row-3', finishedAhead: ['row-5'] };
const letter: StoredDeadLetter = {
  activityId: 'row-1',
  messageId: 'm',
  sourceId: 's',
  stage: 'handler',
  attempts: 5,
  errorCode: 'handler_failed',
  at: '2026-01-01T00:00:00.000Z',
  message: inboundMessage({ id: 'row-1' }),
  progress: NO_PROGRESS,
};
const arrivalOf = (id: string): Arrival => ({ message: inboundMessage({ id }), use: 'push', digest: '' });
const endOf = (row: string): KeptEnd => ({
  key: `key-of-${row}`,
  row,
  messageId: `message-of-${row}`,
  contextId: '',
  use: 'push',
  sourceId: '',
  digest: '',
  end: {
    state: 'answered',
    at: '2026-01-01T00:00:00.000Z',
    answer: { messageId: 'a', text: 'yes' },
    error: null,
  },
});
const listOf = (...letters: StoredDeadLetter[]) => {
  const list = new DeadLetterList();
  for (const each of letters) list.add(each);
  return list;
};
const linesOf = (...records: InboundRecord[]) => records.map((each) => JSON.stringify(each));

describe('the log', () => {
  it('replays to the same state as its snapshot', () => {
    const lines = linesOf(
      { type: 'progress', row: 'a', change: { attempts: 1 } },
      { type: 'progress', row: 'a', change: { effects: { one: [1, { b: null }] } } },
      { type: 'progress', row: 'a', change: { effects: { two: 'x' }, repliesSent: 1 } },
      { type: 'progress', row: 'b', change: { attempts: 2, outcome: { reply: { text: 'text' } } } },
      { type: 'finished', rows: ['c', 'd'], keys: ['c', 'd', 'key'] },
      { type: 'dead-letter', letter },
      { type: 'dead-letter', letter: { ...letter, activityId: 'row-2' } },
      { type: 'dead-letter-removed', row: 'row-2' },
      { type: 'outcome', outcome: { activityId: 'c', outcome: 'unanswered' } },
      { type: 'outcome', outcome: { activityId: 'b', outcome: 'failed', error: { message: 'No.' } } },
      { type: 'finished', rows: ['b'], keys: ['b'] },
      { type: 'outcomes-reported', rows: ['c'] },
      position,
      { type: 'finished', rows: ['e'], keys: ['c'] },
      { type: 'arrived', arrival: arrivalOf('f') },
      { type: 'arrived', arrival: arrivalOf('g') },
      { type: 'kept-end', kept: endOf('g') },
      { type: 'finished', rows: [], keys: ['g'] },
    );
    const state = replayRecords(lines);
    expect([state.arrivals.pending, state.arrivals.ends]).toEqual([[arrivalOf('f')], [endOf('g')]]);
    expect(state).toEqual({
      acknowledged: 'row-3',
      finishedAhead: new LazySet(['row-5', 'e']),
      finishedKeys: new Set(['d', 'key', 'b', 'c', 'g']),
      progress: new LazyMap([
        ['a', { ...NO_PROGRESS, attempts: 1, repliesSent: 1, effects: { one: [1, { b: null }], two: 'x' } }],
      ]),
      deadLetters: listOf(letter),
      arrivals: expect.any(ArrivalLog),
      outcomes: new LazyMap([['b', { activityId: 'b', outcome: 'failed', error: { message: 'No.' } }]]),
      unreadable: 0,
    });
    const again = replayRecords(linesOf(...snapshotRecords(state)));
    expect(again).toEqual(state);
    expect([again.arrivals.pending, again.arrivals.ends]).toEqual([[arrivalOf('f')], [endOf('g')]]);
  });

  it('ignores invalid lines', () => {
    const damaged = [...linesOf(position), '{"type":', '{"type":"of a later version"}', ...linesOf(position)];
    expect(replayRecords(damaged)).toMatchObject({ acknowledged: 'row-3', unreadable: 2 });
  });
});

describe('a message that a request brought', () => {
  const text = 'ü'.repeat(100_000);
  const arrivalFrom = (answers: Arrival['message']['answers']): Arrival => {
    const envelope = {
      jsonrpc: '2.0',
      id: 1,
      method: 'delegate_task',
      params: {
        metadata: { peer_name: 'Ann', conversation_id: 'c'.repeat(32), activity_id: 'row-1' },
        message: { messageId: 'm', contextId: 'c', role: 'user', parts: [{ kind: 'text', text }] },
      },
    };
    const read = readArrival({ use: 'push', subject: PEER }, envelope, {
      workspaceId: SELF,
      hasCheckedAnswers: true,
      receivedAt: '2026-01-01T00:00:00.000Z',
      trace: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'a=1' },
    });
    if (read.kind === 'refused') throw new Error(read.refusal.message);
    return { ...read.arrival, message: { ...read.arrival.message, answers } };
  };

  it('is stored once, and read back as it was', () => {
    const answers = [{ questionId: 'q', question: '', decision: null, text: 'yes', by: 'user' }] as const;
    const arrival = arrivalFrom(answers);
    const line = lineOf({ type: 'arrived', arrival });
    expect(line.length).toBeLessThan(text.length + 2_000);
    expect(replayRecords([line, line]).arrivals.pending).toEqual([arrival]);
  });

  it('is read as earlier versions stored it', () => {
    const arrival = arrivalFrom([]);
    expect(replayRecords([...linesOf({ type: 'arrived', arrival }), '']).arrivals.pending).toEqual([arrival]);
  });
});

describe('dead letters', () => {
  it('are limited to the latest thousand', async () => {
    const store = new MemoryInboundStore();
    for (let n = 0; n < 1_002; n += 1) {
      await store.append(
        linesOf({ type: 'dead-letter', letter: { ...letter, activityId: `row-${n}`, attempts: n } }),
      );
    }
    const kept = await listDeadLetters(store);
    expect([kept.length, kept[0]?.attempts]).toEqual([1_000, 2]);
  });
});

describe('RecordWriter', () => {
  const records: InboundRecord[] = [];
  const writerOn = (store: MemoryInboundStore, events: string[] = []) =>
    new RecordWriter({
      store,
      snapshot: () => records,
      onDegraded: () => events.push('degraded'),
      onRecovered: () => events.push('recovered'),
    });
  const letterOf = (attempts: number): InboundRecord => ({
    type: 'dead-letter',
    letter: { ...letter, activityId: `row-${attempts}`, attempts },
  });

  it('replaces a log that has grown, and one after a failed append', async () => {
    let works = true;
    const replaced: number[] = [];
    class FickleStore extends MemoryInboundStore {
      override async append(lines: readonly string[]): Promise<void> {
        if (!works) throw new Error('No.');
        await super.append(lines);
      }
      override async replace(lines: readonly string[]): Promise<void> {
        if (!works) throw new Error('No.');
        replaced.push((await this.load()).length);
        await super.replace(lines);
      }
    }
    const store = new FickleStore();
    const events: string[] = [];
    const writer = writerOn(store, events);
    for (let n = 0; n < 3_000; n += 1) await writer.write(letterOf(n));
    expect(replaced.length).toBeGreaterThan(1);
    works = false;
    expect(await writer.write(letterOf(1))).toBe(false);
    expect(await writer.write(letterOf(2))).toBe(false);
    works = true;
    records.push(letterOf(1), letterOf(2));
    expect(await writer.write(letterOf(2))).toBe(true);
    expect(events).toEqual(['degraded', 'recovered']);
    expect((await listDeadLetters(store)).map((each) => each.attempts)).toEqual([1, 2]);
    records.length = 0;
  });

  it('replaces a log of large records when 64 MiB are appended, however large the state is', async () => {
    const large: InboundRecord = {
      type: 'progress',
      row: 'row-1',
      change: { outcome: { reply: { text: 'x'.repeat(16 * 1024 * 1024) } } },
    };
    const replaced: number[] = [];
    const store = new MemoryInboundStore();
    const replace = store.replace.bind(store);
    store.replace = async (lines) => {
      replaced.push((await store.load()).length);
      await replace(lines);
    };
    const writer = new RecordWriter({
      store,
      snapshot: () => [large, large],
      onDegraded: () => {},
      onRecovered: () => {},
    });
    for (let count = 0; count < 6; count += 1) await writer.write(large);
    expect(replaced).toEqual([0, 6]);
  });
});
