import { describe, expect, it } from 'vitest';
import { type Lane, type PlannedMessage, planMessages, seededRandom } from './plan.ts';
import { RunLog } from './run-log.ts';
import { findOffences, type RecordedEnd } from './verdict.ts';

const planned: PlannedMessage = {
  id: 'm-1',
  sender: 'sender-1',
  target: 'poll',
  act: 'answer',
  ask: 'never',
  workMs: 0,
};
const answered: RecordedEnd = { status: 'answered', code: null, text: 'answer m-1' };
const run = ['poll', { event: 'run', id: 'm-1', attempt: 1 }] as const;
const done = ['poll', { event: 'done', id: 'm-1' }] as const;
const learned = (facts: object) =>
  [
    'sender-1',
    { event: 'learned', id: 'm-1', by: 'feed', status: 'answered', text: 'answer m-1', ...facts },
  ] as const;
const row = (rowId: string, attempt = 1) =>
  ['sender-1', { event: 'row', id: 'm-1', rowId, attempt }] as const;
const RIGHT = [run, done, learned({}), row('r-1')];

type Noted = readonly [member: string, entry: Readonly<Record<string, unknown>>];

function faults(notes: readonly Noted[], end: RecordedEnd | undefined = answered, lane: Partial<Lane> = {}) {
  const log = new RunLog([]);
  for (const [member, entry] of notes) log.add(member, entry);
  const ends = new Map(end === undefined ? [] : [['m-1', end]]);
  return findOffences([{ contextId: null, messages: [planned], ...lane }], ends, log).map(
    ({ fault }) => fault,
  );
}

describe('findOffences', () => {
  it('finds nothing in a run that went right, or that repeated what a kill interrupted', () => {
    expect(faults(RIGHT)).toEqual([]);
    expect(faults([...RIGHT, run, done, row('r-1', 2), learned({})])).toEqual([]);
  });

  it.each<[string, readonly Noted[], RecordedEnd | undefined]>([
    ['without end', RIGHT, { ...answered, status: 'queued' }],
    ['other end than planned', [learned({ status: 'unanswered' })], { ...answered, status: 'unanswered' }],
    ['sender learned another end', [run, done, learned({ status: 'failed' })], answered],
    ['sender learned another end', [run, done, learned({ text: 'answer m-2' })], answered],
    ['missing on the feed', [run, done, learned({ by: 'list' })], answered],
    ['delivered twice to the sender', [...RIGHT, row('r-2')], answered],
    ['delivered twice to the sender', [...RIGHT, row('r-1')], answered],
    ['answered without a handler', [run, learned({})], answered],
  ])('finds: %s', (fault, notes, end) => {
    expect(faults(notes, end)).toEqual([fault]);
  });

  it('finds a message that the platform does not know, and an end that nobody learned', () => {
    const log = new RunLog([]);
    const lanes = [{ contextId: null, messages: [planned] }];
    expect(findOffences(lanes, new Map(), log)).toMatchObject([{ fault: 'lost', id: 'm-1' }]);
    const silent = { ...planned, ask: 'later', act: 'silent' } as const;
    const ends = new Map([['m-1', { status: 'unanswered', code: null, text: '' }]]);
    expect(findOffences([{ contextId: null, messages: [silent] }], ends, log)).toMatchObject([
      { fault: 'sender learned nothing', id: 'm-1' },
    ]);
  });

  it('finds messages of one conversation that were begun in another order', () => {
    const second = { ...planned, id: 'm-2' };
    const lane: Lane = { contextId: 'c-1', messages: [second, planned] };
    const log = new RunLog([]);
    for (const id of ['m-1', 'm-2']) {
      for (const event of ['run', 'done']) log.add('poll', { event, id });
      log.add('sender-1', { event: 'learned', id, by: 'feed', status: 'answered', text: `answer ${id}` });
    }
    const ends = new Map(['m-1', 'm-2'].map((id) => [id, { ...answered, text: `answer ${id}` }]));
    expect(findOffences([lane], ends, log)).toMatchObject([{ fault: 'out of order', id: 'm-1' }]);
  });
});

describe('planMessages', () => {
  it('gives the same plan for the same seed, and another for another', () => {
    const plan = (seed: number) => JSON.stringify(planMessages(200, seededRandom(seed)));
    expect(plan(3)).toBe(plan(3));
    expect(plan(3)).not.toBe(plan(4));
  });

  it('has messages that are given up after five attempts in long runs only', () => {
    const acts = (count: number) =>
      planMessages(count, seededRandom(1)).flatMap(({ messages }) => messages.map(({ act }) => act));
    expect(acts(2_000)).toContain('throw');
    expect(acts(200)).not.toContain('throw');
  });
});
