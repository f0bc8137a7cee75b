import { describe, expect, it } from 'vitest';
import { BEHAVIOURS, LATER } from './behaviours.ts';

const entries = Object.entries(BEHAVIOURS);

describe('the registry of behaviours', () => {
  it('has ids of dotted lower-case words, area first', () => {
    for (const [id] of entries)
      expect(id).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)+$/);
  });

  it('says each behaviour in one sentence, and where it is asked for', () => {
    for (const [id, { sentence, source }] of entries) {
      expect(sentence, id).toMatch(/^\S.*[^.]\.$/);
      expect(sentence, id).not.toContain('\n');
      expect(source, id).toMatch(/^(?:seeds? \d|wire contract \d|decisions? \d)/);
    }
    const sentences = entries.map(([, { sentence }]) => sentence);
    expect(new Set(sentences).size).toBe(sentences.length);
  });

  it('covers every vector of the wire contract, now or later', () => {
    const text = [...entries.map(([, { source }]) => source), ...LATER.map(({ what }) => what)].join('\n');
    const covered = new Set([...text.matchAll(/10\.3 vector (\d+)/g)].map(([, number]) => Number(number)));
    expect([...covered].sort((a, b) => a - b)).toEqual(Array.from({ length: 26 }, (_, index) => index + 1));
  });
});
