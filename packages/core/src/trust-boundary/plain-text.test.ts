import {
  findLookAlikes,
  PEER_BOUNDARY_END,
  PEER_BOUNDARY_START,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPlainText, plainPeerText } from './plain-text.ts';

const fragment = fc.constantFrom(
  ...['[', ']', '/', '\\', ' ', '\n', '\u2003', 'words', '😀', '\ud83d'],
  ...['A2A_RESULT_FROM_PEER', 'a2a_result_from_peer', 'A2A_RESULT', '_FROM_PEER', 'PEER]'],
  ...[PEER_BOUNDARY_START, PEER_BOUNDARY_END, '[ / A2A_Result_FROM_PEER ]', '[\\A2A_RESULT_FROM_PEER]'],
);
const markerText = fc.array(fragment, { maxLength: 20 }).map((pieces) => pieces.join(''));

describe('plainPeerText, of markers', () => {
  it.each([
    [
      'the words around a peer’s text stay',
      `It said ${wrapA2aBoundary('hi')}, so go on.`,
      'It said hi, so go on.',
    ],
    ['several', `${wrapA2aBoundary('a')} and ${wrapA2aBoundary('b')}`, 'a and b'],
    ['one alone', `cut off ${PEER_BOUNDARY_START}here`, 'cut off here'],
    ['any letter case', 'x [ / a2a_result_from_peer ] y', 'x  y'],
    ['what is escaped stays', 'x [\\/A2A_RESULT_FROM_PEER] y', 'x [\\/A2A_RESULT_FROM_PEER] y'],
    ['other brackets stay', 'a [1] [/A2A] [A2A_RESULT_FROM_PEE', 'a [1] [/A2A] [A2A_RESULT_FROM_PEE'],
    [
      'a marker around another one',
      '[A2A_RESULT[/A2A_RESULT_FROM_PEER]_FROM_PEER]',
      '[\\A2A_RESULT_FROM_PEER]',
    ],
    ['nothing', '', ''],
  ])('%s', (_name, text, expected) => expect(plainPeerText(text)).toBe(expected));

  it('leaves no marker, keeps a text without one, and gives the same however the text is cut', () => {
    const cutText = markerText.chain((text) =>
      fc.tuple(fc.constant(text), fc.array(fc.nat({ max: text.length }), { maxLength: 12 })),
    );
    fc.assert(
      fc.property(cutText, ([text, places]) => {
        const whole = plainPeerText(text);
        expect(findLookAlikes(whole).filter(({ escapes }) => escapes === 0)).toEqual([]);
        if (findLookAlikes(text).every(({ escapes }) => escapes > 0)) expect(whole).toBe(text);
        const ends = [0, ...places.sort((one, two) => one - two), text.length];
        const remover = createPlainText();
        const pieces = ends.slice(1).map((end, index) => remover.push(text.slice(ends[index], end)));
        expect(pieces.join('') + remover.end()).toBe(whole);
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });

  it('holds nothing back of a text that cannot become a marker', () => {
    const remover = createPlainText();
    expect(remover.push('so far [1')).toBe('so far [1');
    expect(remover.push('] [A2A_')).toBe('] ');
    expect(remover.push('no')).toBe('[A2A_no');
  });
});
