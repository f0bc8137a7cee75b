import { describe, expect, it } from 'vitest';
import {
  type Edge,
  NEW_PATH,
  type PathRow,
  pathColumns,
  pathOf,
  pathOfAnswer,
  pathOfMessage,
} from './path.ts';

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
