import { describe, expect, it } from 'vitest';
import { BEHAVIOURS } from './behaviours.ts';

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
      expect(source, id).toMatch(
        /^docs\/(?:contract|decisions)\/\S+(?:; docs\/(?:contract|decisions)\/\S+)?$/,
      );
    }
    const sentences = entries.map(([, { sentence }]) => sentence);
    expect(new Set(sentences).size).toBe(sentences.length);
  });
});
