import { findLookAlikes, wrapA2aBoundary } from '@molecule-ai/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fencePeerText } from './fence.ts';
import { createPlainText, plainPeerText } from './plain-text.ts';

const NONCE = '7df5'.repeat(8);
const PEER = '0b7c5f1e-93d1-4d0e-9b7e-0f6f3f7d2a10';
const OPENING = `<peer-text-${NONCE} origin="${PEER}">`;
const CLOSING = `</peer-text-${NONCE}>`;

describe('plainPeerText, of fences', () => {
  it.each([
    ['a fence in a sentence', `The lab said ${fencePeerText('yes', { origin: PEER })}.`, 'The lab said yes.'],
    [
      'a fence as a paragraph',
      `It said:\n\n${fencePeerText('yes', { origin: '' })}\n\nSo:`,
      'It said:\n\nyes\n\nSo:',
    ],
    ['a fence without its line breaks', `${OPENING}yes${CLOSING}`, 'yes'],
    ['an opening tag without its origin', `<peer-text-${NONCE}>yes`, 'yes'],
    ['an opening tag alone', `yes ${OPENING}`, 'yes '],
    ['a closing tag alone', `yes\n${CLOSING}\n`, 'yes\n'],
    ['in capitals', OPENING.toUpperCase(), ''],
    ['boundary markers as well', wrapA2aBoundary(`${OPENING}yes${CLOSING}`), 'yes'],
    ['a marker around a tag', `[A2A_RESULT${OPENING}_FROM_PEER]yes`, 'yes'],
    [
      'what resembles a tag stays',
      '<peer-text-1> <peer-text> </peer-text-NONCE>',
      '<peer-text-1> <peer-text> </peer-text-NONCE>',
    ],
    ['other tags stay', 'a <b>\n</b> < c', 'a <b>\n</b> < c'],
    ['nothing', '', ''],
  ])('%s', (_name, text, expected) => expect(plainPeerText(text)).toBe(expected));

  it('gives the same however the text is cut, and leaves no marker', () => {
    const fragment = fc.constantFrom(
      ...['\n', '<', '>', '/', ' ', 'words', '😀', '[A2A_RESULT', '_FROM_PEER]', 'peer-text-', NONCE],
      ...[
        OPENING,
        CLOSING,
        `<peer-text-${NONCE}>`,
        `<peer-text-${NONCE}`,
        ' origin="unknown">',
        '</peer-text-',
      ],
    );
    const cutText = fc
      .array(fragment, { maxLength: 12 })
      .map((pieces) => pieces.join(''))
      .chain((text) =>
        fc.tuple(fc.constant(text), fc.array(fc.nat({ max: text.length }), { maxLength: 12 })),
      );
    fc.assert(
      fc.property(cutText, ([text, places]) => {
        const ends = [0, ...places.sort((one, two) => one - two), text.length];
        const remover = createPlainText();
        const pieces = ends.slice(1).map((end, index) => remover.push(text.slice(ends[index], end)));
        const whole = plainPeerText(text);
        expect(pieces.join('') + remover.end()).toBe(whole);
        expect(findLookAlikes(whole).filter(({ escapes }) => escapes === 0)).toEqual([]);
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });

  it('holds back only what may become a mark', () => {
    const remover = createPlainText();
    expect(remover.push('a < b')).toBe('a < b');
    expect(remover.push(' <peer')).toBe(' ');
    expect(remover.push('-reviewed')).toBe('<peer-reviewed');
    expect(remover.push('\n')).toBe('');
    expect(remover.push('</p')).toBe('');
    expect(remover.push('>')).toBe('\n</p>');
    expect(remover.end()).toBe('');
  });
});
