import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPeerTextFence, fencePeerText } from './fence.ts';

/** Any code point; the unit `binary` of fast-check makes a table of all of them first, which takes seconds. */
const codePoint = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

const ORIGIN = '550e8400-e29b-41d4-a716-446655440000';

const fragment = fc.oneof(
  fc.constantFrom(
    '<',
    '</',
    'peer-text',
    'PEER-',
    'text',
    '<peer-text-',
    '</ \n peer-text',
    ' '.repeat(63),
    '<<peer',
    '\\',
    ' ',
    '>',
  ),
  fc.constantFrom(
    '\u200d',
    '\ufe0f',
    '👩\u200d💻',
    '👍🏽',
    '1\ufe0f\u20e3',
    '\ud83d',
    '\ude00',
    '🏴',
    '\u{e0067}',
    'क्\u200dष',
  ),
  fc.constantFrom('\r', '\r\n', '\n', '\t', '\u0000', '\u202e', '\u200b', 'words', 'ſ', '&lt;', '\uFFFD'),
  fc.string({ unit: codePoint, maxLength: 3 }),
);
const peerText = fc.array(fragment, { maxLength: 16 }).map((pieces) => pieces.join(''));

function fencedInPieces(pieces: readonly string[]): string {
  const fence = createPeerTextFence({ origin: ORIGIN });
  return pieces.map((piece) => fence.push(piece)).join('') + fence.end();
}

/** What is between the tags of one fence. */
function bodyOf(fenced: string): string | undefined {
  return /^<peer-text-([0-9a-f]{32}) origin="[^"]*">\n([\s\S]*)\n<\/peer-text-\1>$/.exec(fenced)?.[2];
}

describe('createPeerTextFence', () => {
  it('gives the fence of the whole, however the text is cut', () => {
    const cutText = peerText.chain((text) =>
      fc.tuple(fc.constant(text), fc.array(fc.nat({ max: text.length }), { maxLength: 10 })),
    );
    fc.assert(
      fc.property(cutText, ([text, places]) => {
        const ends = [0, ...places.sort((one, two) => one - two), text.length];
        const fenced = fencedInPieces(ends.slice(1).map((end, index) => text.slice(ends[index], end)));
        expect(bodyOf(fenced)).toBe(bodyOf(fencePeerText(text, { origin: ORIGIN })));
      }),
      { numRuns: 400, seed: 1 },
    );
  });

  it('holds back only what is not decided yet', () => {
    const fence = createPeerTextFence({ origin: ORIGIN });
    expect(fence.push('Hello world')).toMatch(/^<peer-text-[0-9a-f]{32} origin="550e[^"]*">\nHello wor$/);
    expect(fence.push('! </p')).toBe('ld! ');
    expect(fence.push('re>ok')).toBe('</pre>');
    expect(fence.end()).toMatch(/^ok\n<\/peer-text-[0-9a-f]{32}>$/);
  });

  it('draws a nonce for each text, and opens and closes also around nothing', () => {
    const [one, two] = [fencedInPieces([]), fencedInPieces([''])];
    expect(one).toMatch(/^<peer-text-([0-9a-f]{32}) origin="[^"]*">\n\n<\/peer-text-\1>$/);
    expect(one).not.toBe(two);
  });

  it('reads each character a few times only', () => {
    const fence = createPeerTextFence({ origin: ORIGIN });
    let length = 0;
    for (let count = 0; count < 20_000; count += 1) length += fence.push(count === 0 ? '<' : ' ').length;
    expect(length + fence.end().length).toBeGreaterThan(20_000);
  });
});
