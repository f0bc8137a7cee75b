import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataLines } from './data-lines.ts';

function leave(...pieces: readonly string[]): string {
  const lines = new DataLines();
  return pieces.map((piece) => lines.push(piece)).join('');
}

/** What is left of a whole. */
function leftOf(text: string): string {
  const events = text.split(/\r\n|\r|\n/);
  const unfinished = events.pop() ?? '';
  let hasData = false;
  let left = '';
  for (const line of events) {
    if (line === '' && hasData) left += '\n';
    const isData = line === 'data' || line.startsWith('data:');
    if (isData) left += `${line}\n`;
    hasData = line === '' ? false : hasData || isData;
  }
  return left + (unfinished.startsWith('data:') ? unfinished : '');
}

describe('DataLines', () => {
  it('leaves lines with data, and the ends of events that have some', () => {
    expect(
      leave(': comment\nevent: x\nid: 1\ndata: a\ndata:b\n\n\n\nretry: 5\nunknown\ndatabase: no\n\n'),
    ).toBe('data: a\ndata:b\n\n');
    expect(leave('data\n\ndata: not at its end')).toBe('data\n\ndata: not at its end');
  });

  it('reads every line end, also between two pieces', () => {
    expect(leave('data: a\r', '\n\r', '\ndata: b\r\rdata: c\n', '\n')).toBe(
      'data: a\n\ndata: b\n\ndata: c\n\n',
    );
  });

  it('leaves the same however the text is cut', () => {
    const line = fc.constantFrom('data', 'data:', 'data: x', 'dat', 'datax', ': c', 'id: 1', '', 'd');
    const text = fc
      .array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n')))
      .map((lines) => lines.flat().join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(6)), (whole, sizes) => {
        const pieces: string[] = [];
        let place = 0;
        for (const size of sizes) {
          pieces.push(whole.slice(place, place + size));
          place += size;
        }
        expect(leave(...pieces, whole.slice(place))).toBe(leftOf(whole));
      }),
      { seed: 1 },
    );
  });
});
