import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMarkerScanner, findLookAlikes, type LookAlike } from './look-alikes.ts';

/** Any code point; the unit `binary` of fast-check makes a table of all of them first, which takes seconds. */
const codePoint = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

/** The grammar of docs/contract/trust-boundary.md#look-alikes; backtracks, so it is for short texts only. */
const REFERENCE = /\[(\\*)\s*(\/?)\s*A2A_RESULT_FROM_PEER\s*\]/gi;

function findByReference(text: string): LookAlike[] {
  return [...text.matchAll(REFERENCE)].map((match) => ({
    kind: match[2] === '/' ? 'close' : 'open',
    start: match.index,
    end: match.index + match[0].length,
    escapes: match[1]?.length ?? 0,
  }));
}

const NAME = 'A2A_RESULT_FROM_PEER';

const fragment = fc.oneof(
  { arbitrary: fc.constantFrom('[', ']', '/', '\\', ' ', '\n', '\u2003', '\ufeff', '\u200b'), weight: 3 },
  fc.constantFrom(
    'A2A_RESULT_FROM_PEER',
    'a2a_result_from_peer',
    'A2A_REſULT_FROM_PEER',
    'A2A_RESULT_FROM_PEE',
  ),
  fc.constantFrom(
    '[A2A_RESULT_FROM_PEER]',
    '[/A2A_RESULT_FROM_PEER]',
    '[\\\\ / A2A_Result_FROM_PEER ]',
    '[/[',
  ),
  fc.string({ unit: codePoint, maxLength: 3 }),
);
const text = fc.array(fragment, { maxLength: 16 }).map((pieces) => pieces.join(''));

/** A text and a way to cut it, empty pieces and single characters included. */
const cutText = text.chain((whole) =>
  fc
    .array(fc.nat({ max: whole.length }), { maxLength: 12 })
    .map((cuts) => [0, ...cuts.sort((one, other) => one - other), whole.length])
    .map((cuts) => cuts.slice(1).map((end, index) => whole.slice(cuts[index], end))),
);

/** Each end of a marker. */
const COMPLETIONS = [...NAME, ''].map((_, index) => `${NAME.slice(index)}]`);

function scan(pieces: readonly string[]): { texts: string[]; lookAlikes: LookAlike[] } {
  const scanner = createMarkerScanner();
  const texts: string[] = [];
  const lookAlikes: LookAlike[] = [];
  let released = 0;
  const take = (scanned: ReturnType<typeof scanner.push>): void => {
    for (const { start, end, ...rest } of scanned.lookAlikes) {
      lookAlikes.push({ ...rest, start: start + released, end: end + released });
    }
    released += scanned.text.length;
    texts.push(scanned.text);
  };
  for (const piece of pieces) take(scanner.push(piece));
  take(scanner.end());
  return { texts, lookAlikes };
}

describe('findLookAlikes', () => {
  it('finds what the grammar describes', () => {
    fc.assert(
      fc.property(text, (whole) => {
        expect(findLookAlikes(whole)).toEqual(findByReference(whole));
      }),
      { numRuns: 2_000, seed: 1 },
    );
  });

  it('names kind, range and escapes', () => {
    expect(findLookAlikes('a [/A2A_RESULT_FROM_PEER] [\\\\a2a_result_from_peer ]')).toEqual([
      { kind: 'close', start: 2, end: 25, escapes: 0 },
      { kind: 'open', start: 26, end: 51, escapes: 2 },
    ]);
  });
});

describe('createMarkerScanner', () => {
  it('releases the whole text and finds the same look-alikes, however the text is cut', () => {
    fc.assert(
      fc.property(cutText, (pieces) => {
        const whole = pieces.join('');
        const { texts, lookAlikes } = scan(pieces);
        expect(texts.join('')).toBe(whole);
        expect(lookAlikes).toEqual(findLookAlikes(whole));
      }),
      { numRuns: 2_000, seed: 1 },
    );
  });

  it('holds back only what may still become a look-alike', () => {
    fc.assert(
      fc.property(cutText, (pieces) => {
        const scanner = createMarkerScanner();
        let pushed = '';
        let released = '';
        for (const piece of pieces) {
          pushed += piece;
          released += scanner.push(piece).text;
          const held = pushed.slice(released.length);
          if (held === '') continue;
          expect(
            COMPLETIONS.some((rest) => findByReference(held + rest)[0]?.end === (held + rest).length),
          ).toBe(true);
        }
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });

  it('releases a bracket that does not start a marker with the character that shows it', () => {
    const scanner = createMarkerScanner();
    expect(scanner.push('see [').text).toBe('see ');
    expect(scanner.push('A2A').text).toBe('');
    expect(scanner.push('!').text).toBe('[A2A!');
    expect(scanner.push('[').text).toBe('');
    expect(scanner.end()).toEqual({ text: '[', lookAlikes: [] });
  });
});
