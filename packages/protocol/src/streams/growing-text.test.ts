import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrowingText } from './growing-text.ts';

function textOf(pieces: readonly string[]): GrowingText {
  const text = new GrowingText();
  for (const piece of pieces) text.append(piece);
  return text;
}

describe('GrowingText', () => {
  it('is the text that was appended, and each part of it', () => {
    const piece = fc.oneof(fc.string({ maxLength: 5 }), fc.constant('x'.repeat(9_000)), fc.constant(''));
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.nat(40_000),
        fc.nat(40_000),
        (pieces, from, length) => {
          const whole = pieces.join('');
          const text = textOf(pieces);
          expect(text.length).toBe(whole.length);
          expect(text.toString() === whole).toBe(true);
          expect(text.slice(from, length) === whole.slice(from, from + length)).toBe(true);
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  it('is read by each reader from its own place, as it grows', async () => {
    const text = new GrowingText();
    const read = async (): Promise<string[]> => {
      const taken: string[] = [];
      let at = 0;
      for (;;) {
        const piece = text.slice(at, 3);
        if (piece !== '') {
          taken.push(piece);
          at += piece.length;
        } else if (text.isEnded) return taken;
        else await text.changed();
      }
    };
    const early = read();
    text.append('abcd');
    await Promise.resolve();
    const late = read();
    text.append('ef');
    text.end();
    expect((await early).join('')).toBe('abcdef');
    expect((await late).join('')).toBe('abcdef');
  });

  it('reports a change to those that asked before it, and its end to all', async () => {
    const text = new GrowingText();
    let changes = 0;
    void text.changed().then(() => {
      changes += 1;
    });
    text.append('');
    await Promise.resolve();
    expect(changes).toBe(0);
    text.append('a');
    await Promise.resolve();
    expect(changes).toBe(1);
    text.end();
    text.end();
    await text.changed();
    expect(() => text.append('b')).toThrow('ended');
  });

  it('keeps a million characters that came one by one', () => {
    const text = textOf(Array.from({ length: 1_000_000 }, (_, index) => String(index % 10)));
    expect(text.length).toBe(1_000_000);
    expect(text.slice(999_995, 10)).toBe('56789');
  });
});
