import { describe, expect, it } from 'vitest';
import { hashMessage } from './message-hash.rules.ts';
import {
  type Edge,
  loopRefusal,
  NEW_PATH,
  type PathRow,
  pathColumns,
  pathOf,
  pathOfAnswer,
  pathOfMessage,
  turnsRefusal,
} from './path.rules.ts';

const LIMITS = { maxHops: 8, maxTurns: 500 };

/** The row of a message from `edge[0]` to `edge[1]` that was sent in the handling of `parent`. */
function message(edge: Edge, parent?: PathRow, metadata = {}): PathRow {
  const path = pathOfMessage(edge, parent, metadata);
  return {
    ...pathColumns(path),
    id: `${edge[0]}-${edge[1]}`,
    source_id: edge[0],
    target_id: edge[1],
    answers_id: null,
    delivery_state: 'delivered',
  };
}

function answer(question: PathRow): PathRow {
  const { source_id: source, target_id: target } = question;
  return {
    ...pathColumns(pathOfAnswer(question)),
    id: 'answer',
    source_id: target,
    target_id: source ?? '',
    answers_id: 'a',
    delivery_state: 'delivered',
  };
}

function refusalOf(edge: Edge, parent?: PathRow, metadata = {}) {
  return loopRefusal(edge, pathOfMessage(edge, parent, metadata), LIMITS)?.extras.reason;
}

const fromPerson: PathRow = {
  ...pathColumns(NEW_PATH),
  id: 'first',
  source_id: null,
  target_id: 'a',
  answers_id: null,
  delivery_state: 'delivered',
};

describe('the path of a message', () => {
  it('counts messages between workspaces, with or without a person before them', () => {
    expect(message(['a', 'b'])).toMatchObject({ hops: 1, path: null, turns: 0 });
    expect(message(['a', 'b'], fromPerson)).toMatchObject({
      hops: 1,
      path: null,
      turns: 0,
      path_origin: 'first',
    });
    const third = message(['c', 'a'], message(['b', 'c'], message(['a', 'b'])));
    expect(pathOf(third)).toEqual({
      origin: 'a-b',
      hops: 3,
      edges: [
        ['a', 'b'],
        ['b', 'c'],
      ],
      turns: 0,
    });
  });

  it('goes on from the message in whose handling the question was asked, when an answer comes late', () => {
    const asked = message(['a', 'b'], fromPerson);
    const late = answer(message(['b', 'c'], asked));
    expect(pathOf(late)).toEqual({ hops: 1, edges: [['a', 'b']], turns: 1, origin: 'first' });
    expect(pathOf(message(['b', 'd'], late))).toEqual({
      hops: 2,
      edges: [['a', 'b']],
      turns: 1,
      origin: 'first',
    });
    expect(pathOf(answer(message(['a', 'b'])))).toEqual({ hops: 0, edges: [], turns: 1, origin: 'a-b' });
    expect(pathOf(answer(answer(message(['a', 'b']))))).toEqual({
      hops: 0,
      edges: [],
      turns: 2,
      origin: 'a-b',
    });
  });

  it('is at most as short as its sender says, and never shorter than it is', () => {
    const parent = message(['b', 'c'], message(['a', 'b']));
    expect(message(['c', 'd'], parent, { hops: 0, path: [] })).toMatchObject({ hops: 3 });
    expect(message(['c', 'd'], parent, { hops: 7 })).toMatchObject({ hops: 7 });
    const claimed = [
      ['A', 'b'],
      ['x', 'y'],
      ['c', 'd'],
    ];
    expect(pathOf(message(['c', 'd'], parent, { path: claimed }))).toEqual({
      origin: 'a-b',
      hops: 4,
      edges: [
        ['a', 'b'],
        ['b', 'c'],
        ['x', 'y'],
      ],
      turns: 0,
    });
    for (const path of ['/tmp/file', 7, [1, ['a'], ['a', 2], null], [['a'.repeat(37), 'b']]]) {
      expect(message(['c', 'd'], parent, { path, hops: '99' })).toMatchObject({ hops: 3 });
    }
  });
});

describe('a loop', () => {
  it('is the same caller and target for the third time, however far apart', () => {
    const second = message(['a', 'b'], message(['b', 'a'], message(['a', 'b'])));
    expect(refusalOf(['a', 'b'], message(['b', 'a'], message(['a', 'b'])))).toBeUndefined();
    expect(refusalOf(['a', 'b'], message(['b', 'a'], second))).toBe('repeated');
    const claimed = [
      ['a', 'b'],
      ['a', 'b'],
    ];
    // With its own edge as the last one, it says that it is the second.
    expect(refusalOf(['a', 'b'], undefined, { path: claimed })).toBeUndefined();
    expect(refusalOf(['a', 'b'], undefined, { path: [...claimed, ['a', 'b']] })).toBe('repeated');
  });

  it('is more than eight hops', () => {
    let row: PathRow | undefined;
    for (let hop = 1; hop <= 8; hop += 1) {
      expect(refusalOf([`w${hop}`, `w${hop + 1}`], row)).toBeUndefined();
      row = message([`w${hop}`, `w${hop + 1}`], row);
    }
    expect(refusalOf(['w9', 'w10'], row)).toBe('hops');
    expect(refusalOf(['a', 'b'], undefined, { hops: 9 })).toBe('hops');
    expect(refusalOf(['a', 'b'], undefined, { hops: 8 })).toBeUndefined();
  });

  it('is the 501st message on one path that was sent because of a late answer', () => {
    let row = message(['a', 'b']);
    for (let turn = 1; turn <= 500; turn += 1) {
      expect(refusalOf(['a', 'b'], answer(row))).toBeUndefined();
      row = message(['a', 'b'], answer(row));
    }
    expect(refusalOf(['a', 'b'], answer(row))).toBe('turns');
    expect(turnsRefusal(pathOfAnswer(answer(row)), LIMITS)?.code).toBe('loop_detected');
  });

  it('is explained to a model in the error and the hint', () => {
    const row = message(['b', 'a'], message(['a', 'b'], message(['b', 'a'], message(['a', 'b']))));
    const body = loopRefusal(['a', 'b'], pathOfMessage(['a', 'b'], row, {}), LIMITS)?.toBody();
    expect(body).toMatchObject({ code: 'loop_detected', reason: 'repeated' });
    expect(body?.error).toMatch(/^Not sent, because it would continue a loop: .*2 times/);
    expect(body?.hint).toMatch(/^Do not send it again.*answer the message that you are handling/);
  });
});

describe('the hash of a message', () => {
  const of = (metadata?: Record<string, unknown>, params: Record<string, unknown> = {}) =>
    hashMessage('t', {
      method: 'message/send',
      params: { ...params, message: { parts: [], ...(metadata && { metadata }) } },
    } as never);

  it('is the same wherever the message is sent from', () => {
    const circumstances = {
      parent_message_id: 'p',
      parent_activity_id: 'r',
      trace_id: 't',
      deadline: '2030-01-01T00:00:00Z',
      hops: 3,
      path: [],
    };
    expect(of(circumstances)).toBe(of());
    expect(of({ ...circumstances, kept: 1 })).toBe(of({ kept: 1 }));
    expect(of(undefined, { metadata: { ...circumstances } })).toBe(of());
  });

  it('differs with any other metadata', () => {
    expect(of({})).toBe(of());
    expect(
      new Set([of(), of({ kept: 1 }), of({ kept: 2 }), of(undefined, { metadata: { kept: 1 } })]).size,
    ).toBe(4);
  });
});
